"""Measured values and what they say: median and spread, promises kept, what got slower. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from homeport.bench.scenarios import BYTES, MEASURES, PROMISES, Measure, Promise

FEWEST_ROUNDS = 2
"""Of one value nobody knows how much it varies: nothing timed is called slower by it."""


class State(Enum):
    """What became of a figure."""

    MEASURED = "measured"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Figure:
    """One measure with the values of all rounds. Of a failed one there may be values, of earlier rounds.

    ``reason`` says why it failed or could not be measured, ``notes`` what else is to be known.
    """

    measure: Measure
    values: tuple[float, ...] = ()
    state: State = State.NOT_MEASURED
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """The median; of nothing that was measured: ValueError."""
        if not self.values:
            raise ValueError(self.measure.key)
        return float(statistics.median(self.values))

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def good(self) -> bool:
        """Whether its values say what the measure is about."""
        return self.state is State.MEASURED and bool(self.values)


class Verdict(Enum):
    """What a measurement says of a promise."""

    KEPT = "kept"
    MORE = "kept, and more"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Judged:
    """A promise and what became of it: ``less`` is by how many percent the median is less, below 0: more."""

    promise: Promise
    expected: tuple[float, float]
    less: float | None
    verdict: Verdict
    reason: str = ""


def judge(figures: Mapping[str, Figure], expected: Mapping[str, tuple[float, float]]) -> tuple[Judged, ...]:
    """Every promise that is expected and of which something was asked for, with its verdict."""
    found = []
    for promise in PROMISES:
        if promise.name not in expected or not {promise.before, promise.after} <= figures.keys():
            continue
        before, after = figures[promise.before], figures[promise.after]
        low, high = expected[promise.name]
        bad = next((one for one in (before, after) if not one.good), None)
        if bad is not None:
            reason = f"{bad.measure.what}: {bad.reason or bad.state.value}"
            found.append(Judged(promise, (low, high), None, Verdict.UNKNOWN, reason))
        elif not before.median:
            why = f"{before.measure.what}: nothing, of which nothing can be less"
            found.append(Judged(promise, (low, high), None, Verdict.UNKNOWN, why))
        else:
            less = (1 - after.median / before.median) * 100
            verdict = Verdict.MISSED if less < low else Verdict.MORE if less > high > low else Verdict.KEPT
            rounds = min(len(before.values), len(after.values))
            vague = rounds < FEWEST_ROUNDS and BYTES not in {before.measure.unit, after.measure.unit}
            reason = "by one round, which says nothing of noise" if vague else ""
            found.append(Judged(promise, (low, high), less, verdict, reason))
    return tuple(found)


class Change(Enum):
    """How a figure differs from an earlier one."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "within noise"
    UNCLEAR = "unclear"
    NEW = "not measured before"
    GONE = "not measured now"


@dataclass(frozen=True)
class Compared:
    """A measure then and now. ``percent`` is by how much more the median is (below 0: less)."""

    measure: Measure
    change: Change
    before: float | None = None
    after: float | None = None
    percent: float | None = None
    why: str = ""


def compare(
    before: Mapping[str, Sequence[float]], after: Mapping[str, Figure], noise: float
) -> tuple[Compared, ...]:
    """Each figure beside the values of an earlier run; ``noise`` is in percent.

    What was timed or counted is slower if *every* value now is above *every* value then and the medians
    differ by more than ``noise``; of less than FEWEST_ROUNDS values nothing is said. Bytes are computed and
    don't vary: they are more if they are more by over ``noise`` percent.
    """
    found = []
    for key, figure in after.items():
        old = before.get(key)
        if not figure.good:
            if old:
                found.append(Compared(figure.measure, Change.GONE, before=statistics.median(old)))
        elif not old:
            found.append(Compared(figure.measure, Change.NEW, after=figure.median))
        else:
            found.append(_compared(figure, old, noise))
    gone = (key for key in before if key not in after and key in MEASURES)
    return (
        *found,
        *(Compared(MEASURES[key], Change.GONE, before=statistics.median(before[key])) for key in gone),
    )


def _compared(figure: Figure, old: Sequence[float], noise: float) -> Compared:
    was, now = float(statistics.median(old)), figure.median
    percent = (now / was - 1) * 100 if was else None
    more = now - was
    if more and min(len(old), len(figure.values)) < FEWEST_ROUNDS and figure.measure.unit != BYTES:
        why = f"a run has less than {FEWEST_ROUNDS} rounds"
        return Compared(figure.measure, Change.UNCLEAR, was, now, percent, why)
    enough = abs(more) > abs(was) * noise / 100
    if enough and figure.lowest > max(old):
        change = Change.SLOWER
    elif enough and figure.highest < min(old):
        change = Change.FASTER
    else:
        change = Change.SAME
    return Compared(figure.measure, change, was, now, percent)
