"""What GitHub Actions reads: folded groups, annotations and the step summary.

Workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions, their
escaping: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts, and how a runner
recognises them: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from homeport.model.result import BuildResult, Status, TargetResult
from homeport.report.failure import failure_hint
from homeport.report.markup import escape, plain
from homeport.report.summary import totals
from homeport.report.words import one_line, plural, seconds, short_digest, size

T = TypeVar("T")

# A summary over 1 MiB is refused as a whole; other tools of the same step write to it too.
_MOST_BYTES = 512 * 1024
_LOG_LINES = 20
_LOG_WIDTH = 500
_ANNOTATION_LOG_LINES = 8
# A character reference is never Markdown structure (https://spec.commonmark.org/current/#entities), so
# every character that could be is written as one: table pipes, code, emphasis, links, headings.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|~@:$^=]")


def is_active(env: Mapping[str, str]) -> bool:
    """Whether this runs in GitHub Actions; ``env`` is the process environment."""
    return env.get("GITHUB_ACTIONS") == "true"


def group_start(title: str) -> str:
    """The line that opens a folded group of log lines."""
    return f"::group::{_data(one_line(plain(title), 200))}"


def group_end() -> str:
    """The line that closes the group."""
    return "::endgroup::"


def safe_log_line(line: str) -> str:
    """A build's own log line with ``| `` before it, so that it can't give the runner commands.

    The runner takes ``::x::`` for one at the start of a line only, whatever blanks come before it, but its
    older form ``##[x]`` anywhere in a line; and a carriage return ends a line for it.
    """
    parts = re.split(r"\r\n|\r|\n", line.replace("##[", "## ["))
    return "\n".join(f"| {part}" for part in parts)


def annotation(target: TargetResult) -> str:
    """The error annotation of a target that failed, as one line; at its Dockerfile line where known."""
    failure = target.failure
    properties: dict[str, str] = {}
    title = f"{target.name} {target.status.value}"
    lines = [target.note or title]
    if failure is not None:
        if failure.dockerfile:
            properties["file"] = failure.dockerfile
        if failure.dockerfile and failure.line > 0:
            properties["line"] = str(failure.line)
        title += f" in stage {failure.stage}" if failure.stage else ""
        lines = [one_line(failure.message, 1000), one_line(failure.step, 300)]
        lines += [f"| {text[:_LOG_WIDTH]}" for text in failure.log[-_ANNOTATION_LOG_LINES:]]
    properties["title"] = one_line(title, 200)
    written = ",".join(f"{name}={_property(plain(value))}" for name, value in properties.items())
    return f"::error {written}::{_data(plain(chr(10).join(line for line in lines if line)))}"


def step_summary(result: BuildResult) -> str:
    """A build as Markdown for ``$GITHUB_STEP_SUMMARY``: totals, one table, failures and warnings folded.

    Kept to half of what GitHub takes: rows and failures that don't fit are counted instead.
    """
    outcome = "interrupted" if result.interrupted else "succeeded" if result.ok else "failed"
    parts = [f"### Build {outcome}{f': {_inline(result.project, 100)}' if result.project else ''}\n\n"]
    parts += [f"{_inline(line, 2000)}\n\n" for line in totals(result)]
    if result.targets:
        parts += ["| target | why | result | time | cached | context | image |\n"]
        parts += ["| --- | --- | --- | ---: | ---: | ---: | --- |\n"]
        parts += _fitting(result.targets, _row, _MOST_BYTES // 2, "target")
    parts += _fitting(result.having(Status.FAILED), _failure, _MOST_BYTES // 3, "failure")
    if warnings := _warnings(result):
        items = _fitting(warnings, lambda text: f"- {_inline(text, 500)}\n", _MOST_BYTES // 8, "warning")
        summary = f"<summary>{plural(len(warnings), 'warning')}</summary>"
        parts += [f"\n<details>{summary}\n\n", *items, "\n</details>\n"]
    return "".join(parts) + "\n"


def _warnings(result: BuildResult) -> list[str]:
    own = [f"{target.name}: {text}" for target in result.targets for text in target.warnings]
    return [*result.warnings, *own]


def _row(target: TargetResult) -> str:
    ran = target.attempts > 0
    tries = f" ({target.attempts} tries)" if target.attempts > 1 else ""
    status = f"{target.status.value}{tries}"
    cells = (
        _code(target.name),
        _inline(target.why, 120),
        f"**{status}**" if target.status is Status.FAILED else status,
        seconds(target.seconds) if ran else "",
        f"{target.cached}/{target.cached + target.executed}" if ran else "",
        size(target.context_bytes) if ran else "",
        _code(short_digest(target.digest)),
    )
    return f"| {' | '.join(cells)} |\n"


def _failure(target: TargetResult) -> str:
    failure = target.failure
    if failure is None:
        return f"\n{_code(target.name)} failed.\n"
    place = f"{failure.dockerfile}:{failure.line}" if failure.line else failure.dockerfile
    stage = f" in stage {_code(failure.stage)}" if failure.stage else ""
    at = f" at {_code(place)}" if place else ""
    # Inside of <pre>, which starts a line, all is HTML up to its end tag, blank lines too.
    log = "\n".join(line[:_LOG_WIDTH] for line in failure.log[-_LOG_LINES:])
    lines = [
        f"\n<details><summary>{_code(target.name)} failed{stage}{at}</summary>\n",
        f"{_code(failure.step, 300)}\n" if failure.step else "",
        f"<pre>{escape(log)}</pre>\n" if log.strip() else "",
        f"{_inline(failure.message, 2000)}\n",
        f"Next: {_inline(hint, 500)}\n" if (hint := failure_hint(failure)) else "",
        "</details>\n",
    ]
    return "\n".join(line for line in lines if line)


def _fitting(things: Sequence[T], write: Callable[[T], str], room: int, word: str) -> list[str]:
    """The first things, written, that fit in ``room`` bytes of UTF-8, then how many were left out."""
    parts: list[str] = []
    for index, thing in enumerate(things):
        part = write(thing)
        room -= len(part.encode())
        if room < 0:
            return [*parts, f"\n… and {plural(len(things) - index, f'more {word}')}.\n"]
        parts.append(part)
    return parts


def _inline(text: str, most: int) -> str:
    """Text of at most ``most`` characters on one line of Markdown that means just itself."""
    escaped = escape(one_line(text, most))
    # html.escape has written & < > and quotes as references already; their own marks must stay.
    pieces = re.split(r"(&(?:amp|lt|gt|quot|#x27);)", escaped)
    return "".join(
        piece if index % 2 else _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", piece)
        for index, piece in enumerate(pieces)
    )


def _code(text: str, most: int = 120) -> str:
    return f"<code>{_inline(text, most)}</code>" if text else ""


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
