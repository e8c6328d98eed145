"""A deploy as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from homeport.deploy import probe
from homeport.deploy.phases import Course, Kind, courses
from homeport.deploy.picture import svg
from homeport.deploy.probe import Probed
from homeport.deploy.work import Event
from homeport.report import sheet
from homeport.report.document import write_json, write_text
from homeport.report.markup import element, escape
from homeport.report.words import plural, seconds

_FIGURES = ("start to gate", "drain", "callers waited", "no service")
_COLUMNS = ("service", "what", "from", "to", *_FIGURES)
_EVENT_COLUMNS = ("after", "service", "event", "detail")
_REQUEST_COLUMNS = ("what went wrong", "requests", "first after", "last after")


def page(
    release_document: Mapping[str, Any],
    events: Sequence[Event],
    probed: Probed | None = None,
    failure: str = "",
) -> str:
    """The page as a whole HTML document, the picture in it.

    ``release_document`` is what ``show.result_document`` makes of the release; the ``services`` of
    ``show.plan_document``, put into it, say what was planned for each service and why. ``failure`` is the
    whole message of the error that ended the deploy, see :func:`message`.
    """
    release = release_document["release"]
    found = courses(events, release["seconds"])
    left = release_document.get("failed", {})
    outcome, css = _outcome(release, left)
    steps = release_document.get("services", ())
    planned = {step["name"]: step for step in steps if step["action"] != "unchanged"}
    names = dict.fromkeys((*planned, *release["changed"], *(course.service for course in found)))
    by_name = {course.service: course for course in found}
    rows = (_row(name, by_name.get(name), planned.get(name), release["services"], events) for name in names)
    parts = [
        element("p", {"class": "quiet"}, escape(_about(release))),
        _figures(release, found, probed),
        _failures([failure, *map(message, left.values())]),
        _picture(release, events, probed),
        _requests(probed),
        sheet.table("Services", _COLUMNS, _FIGURES, rows) if names else "",
        _events(events),
    ]
    return sheet.sheet(release["stack"], outcome, css, release["started"], parts)


def write(
    folder: Path,
    release_document: Mapping[str, Any],
    events: Sequence[Event],
    probed: Probed | None = None,
    failure: str = "",
) -> Path:
    """Write ``deploy.html``, ``deploy.svg`` and ``deploy.json`` into a folder, which is made; returns the
    page's path. The arguments are those of :func:`page`. Raises UsageError for a file that can't be written.
    """
    document = dict(release_document)
    document |= {"probe": probe.document(probed)} if probed else {}
    document |= {"failure": failure} if failure else {}
    write_text(folder / "deploy.html", page(release_document, events, probed, failure))
    write_text(folder / "deploy.svg", _svg(release_document["release"], events, probed))
    write_json(str(folder / "deploy.json"), document)
    return folder / "deploy.html"


def message(error: Mapping[str, Any]) -> str:
    """An error, as ``HomeportError.as_dict`` has it, as the text of a failure."""
    labels = {"detail": "", "what": "error: ", "cause": "cause: ", "hint": " next: "}
    return "\n".join(f"{label}{error[key]}" for key, label in labels.items() if error.get(key))


def _outcome(release: Mapping[str, Any], left: Collection[str]) -> tuple[str, str]:
    """How it ended in words, and the colour's class; ``left`` are services that run as before."""
    words = {
        "passed": ("deployed", "built"),
        "undone": ("undone: everything runs as before", "failed"),
        "broken": ("failed, and was not undone", "failed"),
    }
    if left:
        words["passed"] = (f"deployed, but without {', '.join(left)}", "failed")
    said, css = words.get(release["outcome"], (release["outcome"], "failed"))
    return f"{release['id']} {said}", css


def _about(release: Mapping[str, Any]) -> str:
    revision = release.get("revision", "")[:12]
    parts = [
        f"Again what r{release['of']} was" if release.get("of") else "",
        f"revision {revision}{' with changes' if release.get('dirty') else ''}" if revision else "",
        f"by {release['who']}" if release.get("who") else "",
        f"on {release['host']}" if release.get("host") else "",
        release.get("message", ""),
    ]
    return ", ".join(filter(None, parts))


def _figures(release: Mapping[str, Any], found: Iterable[Course], probed: Probed | None) -> str:
    def longest(kind: Kind) -> float:
        return max((phase.seconds for course in found for phase in course.of(kind)), default=0.0)

    changed = len(release["changed"])
    figures = [
        ("service changed" if changed == 1 else "services changed", str(changed)),
        ("until it served" if release["outcome"] == "passed" else "duration", seconds(release["seconds"])),
    ]
    if probed:
        figures += [
            ("requests sent", str(len(probed.sent))),
            ("requests failed", str(len(probed.failed))),
        ]
    if waiting := longest(Kind.WAITING):
        figures.append(("longest wait of callers", seconds(waiting)))
    if gap := longest(Kind.GAP):
        figures.append(("longest time without service", f"at most {seconds(gap)}"))
    return sheet.figures(figures)


def _failures(failures: Iterable[str]) -> str:
    sections = [
        element("section", {"class": "failure"}, sheet.log(failure))
        for failure in failures
        if failure.strip()
    ]
    return element("h2", {}, "Failure") + "\n".join(sections) if sections else ""


def _picture(release: Mapping[str, Any], events: Sequence[Event], probed: Probed | None) -> str:
    return sheet.section("Timeline", _svg(release, events, probed)) if events or probed else ""


def _svg(release: Mapping[str, Any], events: Sequence[Event], probed: Probed | None) -> str:
    title = (
        f"{release['stack']} {release['id']}: {plural(len(release['changed']), 'service')} "
        f"in {seconds(release['seconds'])}"
    )
    return svg(events, release["seconds"], probed, title=title)


def _requests(probed: Probed | None) -> str:
    if not probed or not probed.errors:
        return ""
    rows = []
    for why, count in probed.errors.items():
        at = [sample.at for sample in probed.samples if sample.why == why]
        rows.append(
            element(
                "tr",
                {},
                element("td", {"class": "name"}, escape(why)),
                sheet.figure(str(count), count),
                sheet.figure(seconds(at[0]), at[0]),
                sheet.figure(seconds(at[-1]), at[-1]),
            )
        )
    return sheet.table("Requests", _REQUEST_COLUMNS, _REQUEST_COLUMNS[1:], rows)


def _row(
    name: str,
    course: Course | None,
    step: Mapping[str, Any] | None,
    services: Mapping[str, Any],
    events: Iterable[Event],
) -> str:
    """A service's row. Where the plan isn't known, the events say what they can."""
    details = {event.what: event.detail for event in events if event.service == name}
    what = step["action"] if step else "changed"
    before = step["before"] if step else details.get("stop", "")
    after = step["after"] if step else details.get("start", "")
    notes = [step["why"]] if step else []
    notes += [details[word] for word in ("failed", "cut", "drained", "undone") if details.get(word)]
    small = (element("small", {}, escape(note)) for note in notes)
    image = services.get(name, {}).get("image_name", "")
    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(name)),
        element("td", {}, escape(what), *small),
        element("td", {}, element("code", {}, escape(before)) if before else ""),
        element("td", {"title": image}, element("code", {}, escape(after)) if after else ""),
        *(
            _length(course.seconds(kind) if course else None)
            for kind in (Kind.STARTING, Kind.DRAINING, Kind.WAITING, Kind.GAP)
        ),
    )


def _length(taken: float | None) -> str:
    return sheet.figure("" if taken is None else seconds(taken), -1.0 if taken is None else taken)


def _events(events: Iterable[Event]) -> str:
    rows = [
        element(
            "tr",
            {},
            sheet.figure(seconds(event.at), event.at),
            element("td", {"class": "name"}, escape(event.service)),
            element("td", {}, escape(event.what)),
            element("td", {}, escape(event.detail)),
        )
        for event in sorted(events, key=lambda event: event.at)
    ]
    return sheet.table("Events", _EVENT_COLUMNS, _EVENT_COLUMNS[:1], rows) if rows else ""
