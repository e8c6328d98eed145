"""Tables for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from homeport.model.result import BuildResult, Status
from homeport.report.words import seconds, short_digest, size

STYLES = {
    Status.BUILT: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.UNBUILT: "dim",
    Status.SKIPPED: "cyan",
}

_WHY_WIDTH = 40


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
                style=STYLES[target.status],
            ),
            seconds(target.seconds) if ran else "",
            f"{target.cached}/{target.cached + target.executed}" if ran else "",
            size(target.context_bytes) if ran else "",
            Text(short_digest(target.digest), style="dim"),
        )
    return table
