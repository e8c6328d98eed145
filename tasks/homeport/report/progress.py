"""A build while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from homeport.model.result import Status, TargetResult
from homeport.model.solve import Solve
from homeport.report.table import STYLES
from homeport.report.words import one_line, seconds

_MOST_RUNNING = 12
_SILENCE_SECONDS = 30.0


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
        self._line(result.status.value, result.name, _summary(result), STYLES[result.status])

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
