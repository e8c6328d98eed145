"""docs/TROUBLESHOOTING.md, written from the errors in the code and from troubleshooting_notes.py.

python ci/troubleshooting.py            write it
python ci/troubleshooting.py --check    exit 1, and say why, if it would be another by now
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from error_messages import HOLE, Message, read
from troubleshooting_notes import NOTES, Note

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tasks" / "homeport"
PAGE = ROOT / "docs" / "TROUBLESHOOTING.md"

COMPOSE = "Compose files, whichever command reads them"
ENGINE = "Docker and the engine, whichever command asks them"
EVERY = "Every command: options, homeport.toml, files to write"
DEPLOY = "deploy, rollback, status, releases, logs, unlock, down"
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (EVERY, ("commands/adapter.py", "commands/settings.py", "model/config.py", "model/until.py", "report/")),
    (ENGINE, ("engine/docker.py", "engine/process.py", "engine/containers.py", "engine/volumes.py")),
    (COMPOSE, ("engine/compose.py", "model/project.py", "model/yaml_tree.py", "model/stack.py", "sources/")),
    (
        "build",
        (
            "build/",
            "engine/buildx.py",
            "engine/git.py",
            "model/targets.py",
            "model/graph.py",
            "model/shards.py",
        ),
    ),
    ("test", ("test/", "commands/test.py", "engine/projects.py")),
    (DEPLOY, ("deploy/", "engine/fronts.py", "engine/swarm.py", "engine/configs.py", "model/release.py")),
    ("scan", ("scan/", "engine/scanner.py", "engine/trivy.py", "engine/grype.py", "engine/syft.py")),
    ("scan", ("engine/history.py", "model/vulnerability.py")),
    ("resources", ("resources/", "model/tiers.py")),
    ("audit", ("audit/", "commands/audit.py")),
    ("ci.generate", ("ci/",)),
    ("init", ("init/",)),
)
"""Where the errors of a module stand; a folder that isn't here has a section of its own name."""
IN_A_DEPLOY = {"GateFailed": "3 or 4", "HookFailed": "3 or 4"}
"""What ends a deploy is undone (deploy/execution.py): its words come with that exit code, then."""

HEAD = """\
# When something goes wrong

This page is written by `python ci/troubleshooting.py` from the code of homeport; sentences that only a person
can write stand in `ci/troubleshooting_notes.py`.

An error has up to three lines, and above them the last words of another tool, where those help:

```text
error: what happened
cause: the likely reason
 next: what to do
```

Search this page for the first words after `error:`. Values stand here as `…`: leave them out.

{codes}
Three kinds of failures have no entry, for their words are another tool's or your own:

- **A build fails** (1): the summary repeats for each target its stage, its line in the Dockerfile and the
  last lines of its log. [DOCKER_BUILD_GUIDE.md](DOCKER_BUILD_GUIDE.md) says what is tried again by itself.
- **The command line is wrong** (2): `No idea what '…' is!`, `Option '--…' needed value and was not given
  one`. These are invoke's words. `homeport --list` shows the commands, `homeport COMMAND --help` its options.
- **`this is a bug in homeport`** (1): please report it, with the lines above.
"""


def page(messages: Sequence[Message], notes: Mapping[str, Note]) -> str:
    """The whole page."""
    parts = [HEAD.replace("{codes}", exit_codes())]
    for title in dict.fromkeys([*(name for name, _ in SECTIONS), *map(section, messages)]):
        entries = [entry(one, notes.get(one.what, Note())) for one in messages if section(one) == title]
        if entries:
            parts.append(f"\n## {title}\n\n" + "".join(entries))
    return "".join(parts)


def exit_codes() -> str:
    """The table of exit codes, as it stands at the top of errors.py."""
    said = ast.get_docstring(ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))) or ""
    rows = re.findall(r"^(\d+) +(\S.*)$", said, re.MULTILINE)
    return "".join(
        ["| exit code | meaning |\n| --- | --- |\n", *(f"| {code} | {text} |\n" for code, text in rows)]
    )


def section(message: Message) -> str:
    """The title of the section that a message stands in: by the first module that makes it."""
    module = message.modules[0]
    found = (title for title, places in SECTIONS if any(module.startswith(place) for place in places))
    return next(found, module.partition("/")[0])


def entry(message: Message, note: Note) -> str:
    """One message as a list item: its words, its exit code, the likely causes and the next steps."""
    what = " ".join(message.what.replace("\n", " ").split())
    lines = [f"- `{what}` (exit code {exit_code(message)})\n"]
    causes = [text for text in message.causes if "did you mean" not in text]
    if len(causes) < len(message.causes):
        causes.append("A name is mistyped; the nearest one is suggested.")
    lines += [f"  - cause: {text}\n" for text in _sentences(causes)]
    lines += [f"  - next: {text}\n" for text in _sentences(message.hints or filter(None, [note.next]))]
    return "".join([*lines, *([f"  - {note.more}\n"] if note.more else [])])


def exit_code(message: Message) -> str:
    """The exit code in words: what fails within a deploy gets the code of how that ended."""
    if message.kind in IN_A_DEPLOY:
        return IN_A_DEPLOY[message.kind]
    if message.kind == "ContainerProblem" and not message.modules[0].startswith(("test/", "engine/projects")):
        return "3 or 4 in a deploy or rollback, else 1"
    return str(message.code)


def _sentences(texts: Iterable[str]) -> list[str]:
    """Each once, as Markdown: what stands between angle brackets or stars is text here."""
    shown = (" ".join(text.split()).replace("<", "&lt;").replace("*", "\\*") for text in texts)
    return list(dict.fromkeys(shown))


def problems(messages: Sequence[Message], notes: Mapping[str, Note]) -> list[str]:
    """What a person has to write first: a next step that is missing, a note that no message has any more."""
    known = {one.what for one in messages}
    lacking = [one for one in messages if not one.hints and not notes.get(one.what, Note()).next]
    wordless = [one for one in messages if not one.what.replace(HOLE, "").strip(" .:'")]
    return [
        *(f"{one.modules[0]}: {one.what!r} has no hint=, and no note in {NOTES_FILE}" for one in lacking),
        *(f"{one.modules[0]}: an error whose words can't be told from the code" for one in wordless),
        *(f"{NOTES_FILE}: there is no message {what!r} any more" for what in notes if what not in known),
    ]


NOTES_FILE = "ci/troubleshooting_notes.py"


def main() -> int:
    """The command line; exit 1 if the page is old or something has to be written by hand first."""
    parser = argparse.ArgumentParser(description="Write docs/TROUBLESHOOTING.md from the errors in the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if it is out of date")
    options = parser.parse_args()
    messages = read(PACKAGE)
    wrong = problems(messages, NOTES)
    text = page(messages, NOTES)
    if not options.check and not wrong:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    elif not wrong and (not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text):
        wrong = [f"{PAGE.relative_to(ROOT).as_posix()} is out of date: run python ci/troubleshooting.py"]
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
