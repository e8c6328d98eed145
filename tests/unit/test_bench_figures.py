"""What values say: medians, promises kept or missed, what got slower and what is noise."""

from __future__ import annotations

import pytest

from bench_samples import figure, figures
from homeport.bench.figures import Change, Figure, State, Verdict, compare, judge

EXPECTED = {"parallel": (30.0, 50.0)}


def test_median_and_spread() -> None:
    one = figure("parallel", 3.0, 1.0, 2.0)
    assert (one.median, one.lowest, one.highest) == (2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="parallel"):
        _ = figure("parallel").median


@pytest.mark.parametrize(
    ("after", "less", "verdict"),
    [
        (70.0, 30.0, Verdict.KEPT),
        (50.0, 50.0, Verdict.KEPT),
        (71.0, 29.0, Verdict.MISSED),
        (130.0, -30.0, Verdict.MISSED),
        (10.0, 90.0, Verdict.MORE),
    ],
)
def test_a_promise_is_judged_by_medians(after: float, less: float, verdict: Verdict) -> None:
    found = judge(figures(figure("sequential", 90, 100, 400), figure("parallel", after)), EXPECTED)
    assert [(one.promise.name, one.verdict) for one in found] == [("parallel", verdict)]
    assert found[0].less == pytest.approx(less)


def test_one_round_says_nothing_of_noise() -> None:
    found = judge(figures(figure("sequential", 9.0), figure("parallel", 1.0, 2.0)), EXPECTED)
    assert "one round" in found[0].reason
    rounds = judge(figures(figure("sequential", 9.0, 9.1), figure("parallel", 1.0, 2.0)), EXPECTED)
    assert rounds[0].reason == ""
    sent = judge(
        figures(figure("context-without", 9.0), figure("context-with", 1.0)), {"context": (1.0, 2.0)}
    )
    assert sent[0].reason == ""


def test_at_least_has_no_upper_end() -> None:
    found = judge(figures(figure("sequential", 100), figure("parallel", 1)), {"parallel": (30.0, 30.0)})
    assert found[0].verdict is Verdict.KEPT


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            figure("sequential", state=State.FAILED, reason="api: exit code 1"),
            figure("parallel", 1),
            "exit code",
        ),
        (figure("sequential", 1), figure("parallel", reason="no engine"), "no engine"),
        # Of one that failed after some rounds the values are no measurement of anything.
        (figure("sequential", 1), figure("parallel", 1, state=State.FAILED, reason="round 2"), "round 2"),
        (figure("sequential", 0.0), figure("parallel", 1), "nothing can be less"),
    ],
)
def test_what_was_not_measured_is_no_promise_kept(before: Figure, after: Figure, said: str) -> None:
    found = judge(figures(before, after), EXPECTED)
    assert found[0].verdict is Verdict.UNKNOWN
    assert found[0].less is None
    assert said in found[0].reason


def test_promises_are_about_what_was_asked_for_and_is_expected() -> None:
    own = figures(figure("sequential", 2), figure("parallel", 1))
    assert judge(own, {}) == ()
    assert judge(own, {"deploy": (30.0, 50.0)}) == ()
    assert (
        len(judge(figures(*own.values(), figure("one-changed", 1)), {**EXPECTED, "build": (5.0, 6.0)})) == 2
    )


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ((10, 11, 12), (13, 14, 15), Change.SLOWER),
        ((10, 11, 12), (12, 14, 15), Change.SAME),  # they touch
        ((10, 11, 12), (11.5, 14, 15), Change.SAME),  # they overlap, however far the medians are apart
        ((10.0, 10.1, 10.2), (10.3, 10.4, 10.5), Change.SAME),  # apart, but by 3 % only
        ((13, 14, 15), (10, 11, 12), Change.FASTER),
        ((10, 11, 12), (10, 11, 12), Change.SAME),
        ((10,), (20, 21), Change.UNCLEAR),
        ((10, 11), (20,), Change.UNCLEAR),
        ((10,), (10,), Change.SAME),
        ((10, 11), (20, 21), Change.SLOWER),
    ],
)
def test_what_is_noise(old: tuple[float, ...], new: tuple[float, ...], change: Change) -> None:
    found = compare({"parallel": old}, figures(figure("parallel", *new)), 10.0)
    assert [one.change for one in found] == [change]


def test_one_lost_request_more_is_more() -> None:
    found = compare({"deploy-zero-lost": (0, 0, 0)}, figures(figure("deploy-zero-lost", 1, 2, 1)), 10.0)
    assert found[0].change is Change.SLOWER
    assert found[0].percent is None


def test_bytes_do_not_vary_so_one_value_is_enough() -> None:
    found = compare({"context-with": (1000,)}, figures(figure("context-with", 1200)), 10.0)
    assert found[0].change is Change.SLOWER
    same = compare({"context-with": (1000,)}, figures(figure("context-with", 1050)), 10.0)
    assert same[0].change is Change.SAME


def test_what_only_one_run_has() -> None:
    found = compare(
        {"sequential": (5,), "fresh": (2,), "of another version": (1,)},
        figures(figure("sequential", state=State.FAILED), figure("parallel", 1)),
        10.0,
    )
    assert {one.measure.key: one.change for one in found} == {
        "sequential": Change.GONE,
        "parallel": Change.NEW,
        "fresh": Change.GONE,
    }
