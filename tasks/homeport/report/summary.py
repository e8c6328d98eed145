"""What a build came to."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from homeport.model.result import BuildResult, Status
from homeport.report.words import plural, seconds

_MOST_NOTES = 5


def show_result(result: BuildResult, console: Console, *, clean: Callable[[str], str] | None = None) -> None:
    """The table, then the totals, then each failure once; ``clean`` is applied to each line of a failure."""
    if len(result.having(Status.SKIPPED)) < len(result.targets):
        # Loaded only here: where nothing was built there is no table.
        from homeport.report.table import result_table

        console.print()
        console.print(result_table(result))
        console.print()
    for line in totals(result):
        console.print(Text(line), soft_wrap=True)
    for target in result.having(Status.FAILED):
        from homeport.report.failure import failure_text

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
