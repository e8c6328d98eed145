"""What people read: progress while it works, one table at the end, failures once and last."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from homeport.errors import HomeportError
from homeport.model.result import BuildResult, Status, TargetResult
from homeport.model.solve import Failure, Solve
from homeport.report.words import one_line, plural, seconds, short_digest, size

_STYLES = {
    Status.BUILT: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.UNBUILT: "dim",
    Status.SKIPPED: "cyan",
}
_MOST_RUNNING = 12
_MOST_NOTES = 5
_LOG_WIDTH = 200
_WHY_WIDTH = 40
_SILENCE_SECONDS = 30.0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command: rich itself would end the program with 1."""
        raise BrokenPipeError


def make_console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (default: standard output) that never fails on a character it can't show.

    rich honours NO_COLOR, FORCE_COLOR and whether anybody looks.
    """
    # A program started with closed streams has none at all.
    stream = stream or sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    # Where nobody looks there is no width: tables must not be squeezed into eighty columns of a log file.
    return _Console(file=stream, highlight=False, width=None if stream.isatty() else _LOG_WIDTH)


def show_error(error: HomeportError, console: Console) -> None:
    """An error as people read it: what happened, the cause, the next step. Never interpreted as markup."""
    if error.detail:
        console.print(Text(error.detail), soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), error.what), soft_wrap=True)
    if error.cause:
        console.print(Text.assemble(("cause: ", "bold"), error.cause), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble((" next: ", "bold"), error.hint), soft_wrap=True)


def show_warnings(warnings: tuple[str, ...], console: Console) -> None:
    for warning in warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)


class Progress:
    """Shows a running build: a live table where somebody looks, a line for each event elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.done = 0
        self.failed = 0
        self._started: dict[str, float] = {}
        self._zero = self._last_line = time.monotonic()
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, name: str, attempt: int) -> None:
        self._started.setdefault(name, time.monotonic())
        if self._live is None:
            self._line("start", name, f"attempt {attempt}" if attempt > 1 else "", "")

    def retrying(self, name: str, why: str, wait: float) -> None:
        self._line("retry", name, f"{why}; again in {seconds(wait)}", "yellow")

    def finished(self, result: TargetResult) -> None:
        self.done += 1
        self.failed += result.status is Status.FAILED
        self._started.pop(result.name, None)
        self._line(result.status.value, result.name, _summary(result), _STYLES[result.status])

    def tick(self, running: Mapping[str, Solve]) -> None:
        """Redraw the live table; where nobody looks, a line now and then says that it is alive."""
        if self._live is not None:
            self._live.update(self._picture(running))
        elif running and time.monotonic() - self._last_line > _SILENCE_SECONDS:
            named = [f"{name} {one_line(solve.current, 60)}" for name, solve in list(running.items())[:3]]
            more = f" and {len(running) - 3} more" if len(running) > 3 else ""
            self._line("running", f"{self.done}/{self.total} done", f"{'; '.join(named)}{more}", "")

    def _line(self, word: str, name: str, rest: str, style: str) -> None:
        self._last_line = time.monotonic()
        self.console.print(
            Text.assemble(
                (f"{seconds(time.monotonic() - self._zero):>11}  ", "dim"),
                (f"{word:<10}", style),
                name,
                "  ",
                (rest, "dim"),
            ),
            soft_wrap=True,
        )

    def _picture(self, running: Mapping[str, Solve]) -> RenderableType:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True, style="dim")
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        now = time.monotonic()
        most = max(3, min(_MOST_RUNNING, self.console.height - 5))
        for name, solve in list(running.items())[:most]:
            table.add_row(
                Text(name, style="cyan"),
                seconds(now - self._started.get(name, now)),
                f"{solve.cached} cached {solve.executed} run",
                Text(one_line(solve.current, 200)),
            )
        more = len(running) - most
        total = Text.assemble(
            (f"{self.done}/{self.total} done", "bold"),
            f", {len(running)} running",
            (f", {self.failed} failed", "red") if self.failed else "",
            f", {seconds(now - self._zero)}",
            f"  (+{more} more running)" if more > 0 else "",
        )
        return Group(table, total)


def _summary(result: TargetResult) -> str:
    if result.status is Status.BUILT:
        return f"{seconds(result.seconds)}, {result.cached} cached, {result.executed} run"
    return result.note or seconds(result.seconds)


def plain_table() -> Table:
    """A table without lines, as every command shows it."""
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def result_table(result: BuildResult) -> Table:
    """The one table at the end of a build."""
    table = plain_table()
    table.add_column("target", no_wrap=True, overflow="ellipsis")
    # The one column that gives way on a narrow screen.
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1, max_width=_WHY_WIDTH)
    table.add_column("result", no_wrap=True, min_width=6)
    for heading in ("time", "cached", "context"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    table.add_column("image", no_wrap=True, min_width=12)
    # Of fifty targets that need no build a line says enough.
    for target in (target for target in result.targets if target.status is not Status.SKIPPED):
        ran = target.attempts > 0
        table.add_row(
            Text(target.name),
            Text(target.why, style="dim"),
            Text(
                target.status.value + (f" ({target.attempts} tries)" if target.attempts > 1 else ""),
                style=_STYLES[target.status],
            ),
            seconds(target.seconds) if ran else "",
            f"{target.cached}/{target.cached + target.executed}" if ran else "",
            size(target.context_bytes) if ran else "",
            Text(short_digest(target.digest), style="dim"),
        )
    return table


def show_result(result: BuildResult, console: Console, *, clean: Callable[[str], str] | None = None) -> None:
    """The table, then the totals, then each failure once; ``clean`` is applied to each line of a failure."""
    if len(result.having(Status.SKIPPED)) < len(result.targets):
        console.print()
        console.print(result_table(result))
        console.print()
    for line in totals(result):
        console.print(Text(line), soft_wrap=True)
    for target in result.having(Status.FAILED):
        console.print()
        text = failure_text(target)
        if clean is not None:
            text = Text("\n".join(clean(line) for line in text.plain.split("\n")))
        console.print(text, soft_wrap=True)


def totals(result: BuildResult) -> list[str]:
    """What the whole run came to, in two or three sentences."""
    counts = [f"{len(found)} {status.value}" for status in Status if (found := result.having(status))]
    cached = sum(target.executed == 0 and target.cached > 0 for target in result.having(Status.BUILT))
    if cached and counts:
        counts[0] += f" ({cached} wholly from cache)"
    skipped = result.having(Status.SKIPPED)
    if skipped and len(skipped) == len(result.targets):
        lines = [f"Nothing to build: {plural(len(skipped), 'target')} unchanged."]
    else:
        lines = [
            f"{', '.join(counts) or 'Nothing to do'} in {seconds(result.seconds)}, "
            f"{plural(result.jobs, 'job')}."
        ]
    if far := sum(bool(target.remote) for target in skipped):
        lines.append(f"In the registry and not in this engine: {plural(far, 'image')} (--load fetches them).")
        if stale := sum(bool(target.remote) and target.stale for target in skipped):
            lines.append(f"Of these, {stale} still have an older image under their names here.")
    if notes := [f"  {target.name}: {target.note}" for target in skipped if target.note]:
        more = len(notes) - _MOST_NOTES
        lines += notes[:_MOST_NOTES] + ([f"  and {more} more like these"] if more > 0 else [])
    path, length = result.critical_path()
    if len(result.having(Status.BUILT)) > 1 and result.ok:
        lines.append(f"Critical path: {' -> '.join(path)} ({seconds(length)}).")
        least, most = result.sequential_range()
        if least - result.seconds >= 0.1:
            lines.append(
                f"One after the other it would have taken {seconds(least)} to {seconds(most)}: "
                f"at least {seconds(least - result.seconds)} saved."
            )
    return lines


def failure_text(target: TargetResult) -> Text:
    """One failed target: stage, Dockerfile line and the last lines of its log."""
    failure = target.failure
    text = Text.assemble(("failed: ", "bold red"), (target.name, "bold"))
    if failure is None:
        return text
    if failure.stage:
        text.append(f"  stage {failure.stage}")
    if failure.dockerfile:
        text.append(f"  {failure.dockerfile}:{failure.line}")
    if failure.step:
        text.append(f"\n  {one_line(failure.step, 300)}", style="cyan")
    for line in failure.log:
        text.append(f"\n  | {line}", style="dim")
    text.append(f"\n  {failure.message}")
    if hint := failure_hint(failure):
        text.append(f"\n  next: {hint}")
    return text


def failure_hint(failure: Failure) -> str:
    """A next step for failures that are not the Dockerfile's own fault; empty for all others."""
    # That a disk is full is often only in the words of the step that could not write.
    full = next((line for line in failure.log if "no space left on device" in line.lower()), "")
    folded = (full or failure.message).lower()
    hints = (
        (
            "no space left on device",
            "The engine's disk is full: 'docker system df' shows by what, "
            "'docker builder prune' frees build cache.",
        ),
        (
            "insufficient_scope",
            "The registry refuses this: 'docker login' as somebody who may pull or push there.",
        ),
        (
            "401 unauthorized",
            "The registry refuses this login: 'docker login' again, as somebody who may pull or push there.",
        ),
        (
            "authorization failed",
            "The registry refuses this: 'docker login' as somebody who may pull or push there.",
        ),
        (
            "no such host",
            "This machine can't resolve the registry's name: check the network, or the image's name.",
        ),
        (
            "not found",
            "Check the image's or file's name; a .dockerignore may also leave the file out of the context.",
        ),
        ("requires entitlement", "Allow it in homeport.toml: [build] allow = [...]."),
        ("additional privileges requested", "Allow it in homeport.toml: [build] allow = [...]."),
    )
    return next((hint for needle, hint in hints if needle in folded), "")
