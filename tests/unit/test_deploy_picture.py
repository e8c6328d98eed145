"""What services went through, read from events, and the picture of it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given

from deploy_samples import FAILED, HANDED_OVER, START_FIRST, STOP_FIRST, events, passed, probed, undone
from homeport.deploy.phases import Course, Kind, courses
from homeport.deploy.picture import svg
from homeport.deploy.probe import Probed, Sample
from homeport.deploy.traffic import bins
from homeport.deploy.work import Event
from homeport.report.markup import text_width
from report_samples import HOSTILE, TEXTS

NS = "{http://www.w3.org/2000/svg}"
Happened = tuple[tuple[float, str, str], ...]


def course(happened: Happened, seconds: float = 10.0) -> Course:
    (found,) = courses(events(("api", happened)), seconds)
    return found


def spans(found: Course) -> list[tuple[str, float, float]]:
    return [(phase.kind.name, phase.start, phase.end) for phase in found.phases]


def parsed(
    found: list[Event], seconds: float = 8.0, asked: Probed | None = None, *, width: int = 1100
) -> ElementTree.Element:
    return ElementTree.fromstring(svg(found, seconds, asked, width=width))  # noqa: S314 - our own text


def rects(root: ElementTree.Element, css: str) -> list[ElementTree.Element]:
    return [rect for rect in root.iter(f"{NS}rect") if css in (rect.get("class") or "").split()]


def words(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{NS}text")]


def value(found: ElementTree.Element, name: str) -> float:
    return float(found.get(name) or "0")


def test_a_service_that_is_replaced_beside_the_old_one() -> None:
    assert spans(course(START_FIRST)) == [
        ("STARTING", 1.0, 3.0), ("SERVING", 3.5, 10.0), ("DRAINING", 6.0, 6.4), ("STOPPING", 6.4, 7.0)
    ]  # fmt: skip


def test_callers_wait_while_a_service_is_replaced_after_the_old_one() -> None:
    assert spans(course(STOP_FIRST)) == [
        ("WAITING", 1.0, 4.2), ("STOPPING", 1.5, 2.0), ("STARTING", 2.0, 4.0), ("SERVING", 4.2, 10.0)
    ]  # fmt: skip


def test_a_front_that_takes_over_leaves_a_gap() -> None:
    assert spans(course(HANDED_OVER)) == [
        ("STARTING", 1.0, 2.0), ("STOPPING", 2.1, 2.4), ("GAP", 2.1, 2.8), ("SERVING", 2.8, 10.0)
    ]  # fmt: skip


def test_without_a_front_nobody_is_held() -> None:
    found = course(tuple(one for one in STOP_FIRST if one[1] not in {"hold", "switch"}))
    assert found.seconds(Kind.GAP) == pytest.approx(2.7)
    assert found.seconds(Kind.WAITING) is None


def test_a_hold_ends_the_gap_before_it() -> None:
    found = course(((1.0, "stop", ""), (2.0, "stopped", ""), (2.5, "hold", ""), *STOP_FIRST[3:]))
    assert found.seconds(Kind.GAP) == 1.5
    assert found.seconds(Kind.WAITING) == pytest.approx(1.7)


def test_what_fails_its_gate_is_undone() -> None:
    found = course(FAILED)
    assert spans(found) == [("STARTING", 1.0, 4.0), ("UNDOING", 4.1, 4.6)]
    assert (found.failed, found.undone, found.passed) == (4.0, True, False)


def test_old_ones_that_come_back_leave_a_gap() -> None:
    late = course((*HANDED_OVER, (5.0, "undo", ""), (6.0, "undone", "")))
    assert [(one.start, one.end) for one in late.of(Kind.GAP)] == [(2.1, 2.8), (5.0, 6.0)]
    early = course(((1.0, "stop", ""), (2.0, "start", ""), (3.0, "undo", ""), (4.0, "undone", "")))
    assert [(one.start, one.end) for one in early.of(Kind.GAP)] == [(1.0, 4.0)]
    held = course((*STOP_FIRST[:4], (3.0, "undo", ""), (4.0, "undone", "")))
    assert (held.seconds(Kind.WAITING), held.seconds(Kind.GAP)) == (3.0, None)


def test_what_could_not_be_undone_goes_on() -> None:
    (phase,) = course(FAILED[:3]).of(Kind.UNDOING)
    assert (phase.end, phase.complete) == (10.0, False)


def test_several_portions_are_one_start_and_a_command_is_a_phase() -> None:
    found = course(
        (
            (0.5, "before", "migrate"),
            (1.0, "ran", ""),
            (1.0, "start", "1 of 2"),
            (2.0, "start", "2 of 2"),
            (3.0, "passed", ""),
        )
    )
    assert spans(found) == [("COMMAND", 0.5, 1.0), ("STARTING", 1.0, 3.0)]


def test_a_removed_service_only_stops() -> None:
    assert spans(course(((1.0, "stop", "removed"), (2.0, "stopped", "")))) == [("STOPPING", 1.0, 2.0)]


def test_rows_are_in_the_order_of_their_first_events() -> None:
    assert [one.service for one in courses(reversed(passed()), 8.0)] == ["web", "api", "db"]
    assert courses([], 8.0) == ()


@pytest.mark.parametrize("count", [0, 1, 50, 300])
def test_a_row_for_each_service(count: int) -> None:
    many = events(*((f"service-{number:03}", START_FIRST) for number in range(count)))
    root = parsed(many)
    rows = list(root.iter(f"{NS}g"))
    assert [row.findtext(f"{NS}text") for row in rows] == [f"service-{number:03}" for number in range(count)]
    assert value(root, "height") < 3600


@pytest.mark.parametrize("width", [100, 480, 1100, 3000])
@pytest.mark.parametrize("found", [passed(), undone(), []])
def test_nothing_leaves_the_picture(found: list[Event], width: int) -> None:
    root = parsed(found, asked=probed(failing=(7.0, 8.0)), width=width)
    right, bottom = value(root, "width"), value(root, "height")
    for rect in root.iter(f"{NS}rect"):
        assert value(rect, "x") >= 0
        assert value(rect, "x") + value(rect, "width") <= right + 0.01
        assert value(rect, "y") + value(rect, "height") <= bottom + 0.01
    for text in root.iter(f"{NS}text"):
        css = text.get("class") or ""
        wide = text_width(text.text or "", value(text, "font-size"), bold="strong" in css or "word" in css)
        start = value(text, "x") - (wide / 2 if text.get("text-anchor") == "middle" else 0)
        assert start >= 0
        assert start + wide <= right, text.text
        assert value(text, "y") <= bottom


def test_what_happened_is_told_in_words_too() -> None:
    found = words(parsed(passed()))
    assert {"passed in 2.0 s", "callers waited 3.2 s", "at most 0.7 s without service"} <= set(found)
    assert {"start", "stop", "callers wait", "without service", "switch"} <= set(found)
    found = words(parsed(undone()))
    assert {"undone", "failed, undone", "× failed", "×"} <= set(found)  # noqa: RUF001
    assert "failed, not undone" in words(parsed(events(("bad", FAILED[:3]))))


def test_the_legend_has_only_what_the_picture_shows() -> None:
    found = words(parsed(events(("api", START_FIRST))))
    assert "callers wait" not in found
    assert "undoing" not in found


def test_a_bar_is_where_its_phase_is() -> None:
    root = parsed(events(("api", START_FIRST)))
    (start, *_), (switch, *_) = rects(root, "built")[1:], rects(root, "switch")[1:]
    ratio = value(start, "width") / (value(switch, "x") + 1.5 - value(start, "x"))
    assert ratio == pytest.approx(2.0 / 2.5, abs=0.01)
    assert start.findtext(f"{NS}title") == "starting: 2.0 s, from 1.0 s to 3.0 s"


def test_failures_are_counted_and_marked() -> None:
    root = parsed(passed(), asked=probed(failing=(2.0, 3.0)))
    assert "160 requests, 20 failed, the slowest answer took 0.1 s" in words(root)
    assert "× 20 failed" in words(root)  # noqa: RUF001
    assert rects(root, "alarm")
    assert all(value(rect, "height") >= 5 for rect in rects(root, "failed"))
    good = parsed(passed(), asked=probed())
    assert "160 requests, none failed, the slowest answer took 0.1 s" in words(good)
    assert not rects(good, "alarm")


def test_one_failure_among_many_requests_is_still_seen() -> None:
    root = parsed(passed(), asked=probed(failing=(2.0, 2.001), rate=500))
    assert "× 1 failed" in words(root)  # noqa: RUF001
    assert [value(rect, "height") for rect in rects(root, "failed")[1:]] == [5]


def test_requests_belong_to_who_ran_when_their_answer_came() -> None:
    waited, early, late = Sample(1.0, 3.0, 200), Sample(1.0, 0.1, 200), Sample(5.0, 0.1, 404)
    (first, second) = bins((early, waited, late) * 4, 8.0, 3.5)
    assert dict(first.counts) == {"before": 4, "after": 4}
    assert dict(second.counts) == {"after": 4}


def test_every_request_is_in_a_bin() -> None:
    asked = probed(seconds=30.0, failing=(3.0, 5.0))
    samples = (*asked.samples, Sample(-1.0, 0.1, 200), Sample(99.0, 0.0, 0, "not sent", sent=False))
    found = bins(samples, 30.0, 10.0)
    assert [one.start for one in found] == sorted(one.start for one in found)
    total = {css: sum(one.counts[css] for one in found) for css in ("failed", "before", "after", "unsent")}
    # One was sent before the deploy; the last answers before the switch came 50 ms after they were asked for.
    assert total == {"failed": 40, "before": 160, "after": 401, "unsent": 1}


def test_a_picture_of_nothing_says_so() -> None:
    assert words(parsed([], 0.0)) == ["0 services in 0.0 s"]


def test_the_same_deploy_gives_the_same_picture() -> None:
    assert svg(passed(), 8.0, probed()) == svg(passed(), 8.0, probed())


@given(TEXTS)
def test_any_text_gives_a_picture(text: str) -> None:
    found = [Event(1.0, text, "start", text), Event(2.0, text, "passed", text), Event(3.0, "b", text, text)]
    asked = Probed(text, 0, (Sample(1.0, 1.0, 0, text),))
    root = ElementTree.fromstring(svg(found, 4.0, asked, title=text))  # noqa: S314 - our own text
    assert root.get("role") == "img"


def test_markup_in_names_stays_text() -> None:
    root = parsed(events((HOSTILE, HANDED_OVER)), asked=Probed(HOSTILE, 0, probed().samples))
    assert {found.tag.removeprefix(NS) for found in root.iter()} == {
        "svg", "style", "defs", "pattern", "rect", "text", "line", "g", "title"
    }  # fmt: skip
