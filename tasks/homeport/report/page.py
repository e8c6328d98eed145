"""A build as one HTML file that needs nothing else."""

from __future__ import annotations

from homeport.model.result import BuildResult, Status, TargetResult
from homeport.report import sheet
from homeport.report.failure import failure_hint
from homeport.report.markup import element, escape
from homeport.report.timeline import svg
from homeport.report.words import plural, seconds, short_digest, size

_COLUMNS = ("target", "why", "result", "time", "cached", "context", "image", "tags", "tries")
_ESTIMATE = (
    "* Estimates. At most, every target would have taken as long alone. But targets that share processors "
    "slow each other down: at least, it is the time for which the processors had work."
)
_FIGURES = ("time", "cached", "context", "tries")


def html(result: BuildResult) -> str:
    """The page as a whole HTML document, the timeline in it."""
    outcome, css = _outcome(result)
    parts = [
        _figures(result),
        _failures(result),
        _timeline(result),
        _table(result),
        _warnings(result),
        _facts(result),
        element("footer", {}, _ESTIMATE),
    ]
    return sheet.sheet(result.project, outcome, css, result.started_at, parts)


def _outcome(result: BuildResult) -> tuple[str, str]:
    """How the run ended in words, and the colour's class."""
    failed = len(result.having(Status.FAILED))
    if result.interrupted:
        return "build interrupted", "cancelled"
    if not result.targets:
        return "nothing to build", "built"
    if failed:
        return f"build failed ({plural(failed, 'target')})", "failed"
    return ("build succeeded", "built") if result.ok else ("build incomplete", "cancelled")


def _figures(result: BuildResult) -> str:
    counts = [f"{len(found)} {status.value}" for status in Status if (found := result.having(status))]
    total = len(result.targets)
    least, most = (seconds(value) for value in result.sequential_range())
    saved = max(result.sequential_range()[0] - result.seconds, 0.0)
    cached = sum(target.cached for target in result.targets)
    executed = sum(target.executed for target in result.targets)
    figures = (
        (", ".join(counts) if len(counts) > 1 else "target" if total == 1 else "targets", str(total)),
        ("wall time", seconds(result.seconds)),
        ("one after the other\N{NO-BREAK SPACE}*", least if least == most else f"{least} to {most}"),
        ("saved at least\N{NO-BREAK SPACE}*", seconds(saved)),
        (f"{'job' if result.jobs == 1 else 'jobs'} at most", str(result.jobs)),
        ("steps cached / run", f"{cached} / {executed}"),
        ("context sent", size(sum(target.context_bytes for target in result.targets))),
    )
    return sheet.figures(figures)


def _timeline(result: BuildResult) -> str:
    if not any(target.attempts for target in result.targets):
        return ""
    picture = sheet.section("Timeline", svg(result))
    path, length = result.critical_path()
    if len(path) < 2:
        return picture
    words = f"Critical path, which no number of jobs makes shorter: {' → '.join(path)} ({seconds(length)})."
    return picture + element("p", {"class": "quiet"}, escape(words))


def _table(result: BuildResult) -> str:
    if not result.targets:
        return ""
    return sheet.table("Targets", _COLUMNS, _FIGURES, map(_row, result.targets))


def _row(target: TargetResult) -> str:
    ran = target.attempts > 0
    steps = f"{target.cached}/{target.cached + target.executed}" if ran else ""
    retried = element("small", {}, escape(", ".join(target.retried))) if target.retried else ""
    note = element("small", {}, escape(target.note)) if target.note else ""
    status = element("span", {"class": f"badge {target.status.value}"}, target.status.value)
    digest = element("code", {"title": target.digest}, escape(short_digest(target.digest)))
    tags = (element("code", {}, escape(tag)) for tag in target.tags)

    def figure(words: str, sort: float) -> str:
        return sheet.figure(words if ran else "", sort if ran else -1.0)

    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(target.name)),
        element("td", {}, escape(target.why)),
        element("td", {}, status, note),
        figure(seconds(target.seconds), target.seconds),
        figure(steps, target.cached),
        figure(size(target.context_bytes), target.context_bytes),
        element("td", {"class": "image"}, digest if target.digest else ""),
        element("td", {"class": "tags"}, *tags),
        element("td", {"class": "figure"}, str(target.attempts) if ran else "", retried),
    )


def _failures(result: BuildResult) -> str:
    failed = result.having(Status.FAILED)
    if not failed:
        return ""
    return element("h2", {}, plural(len(failed), "failure")) + "\n".join(map(_failure, failed))


def _failure(target: TargetResult) -> str:
    failure = target.failure
    parts = [element("h3", {}, escape(target.name))]
    if failure is not None:
        place = f"{failure.dockerfile}:{failure.line}" if failure.line else failure.dockerfile
        where = [f"stage {failure.stage}" if failure.stage else "", place]
        parts += [element("p", {"class": "quiet"}, escape(", ".join(word for word in where if word)))]
        parts += [element("p", {}, element("code", {}, escape(failure.step)))] if failure.step else []
        parts += [sheet.log("\n".join(failure.log)), element("p", {}, escape(failure.message))]
        hint = failure_hint(failure)
        parts += [element("p", {}, element("b", {}, "next: "), escape(hint))] if hint else []
    return element("section", {"class": "failure"}, *parts)


def _warnings(result: BuildResult) -> str:
    own = [f"{target.name}: {text}" for target in result.targets for text in target.warnings]
    items = [element("li", {}, escape(text)) for text in (*result.warnings, *own)]
    return element("h2", {}, "Warnings") + element("ul", {}, *items) if items else ""


def _facts(result: BuildResult) -> str:
    pairs = (
        element("dt", {}, escape(name)) + element("dd", {}, escape(value))
        for name, value in result.facts.items()
    )
    return element("h2", {}, "Built with") + element("dl", {"class": "facts"}, *pairs) if result.facts else ""
