"""Rounds carried out: a failure is a row, the others go on, and an interruption keeps what there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench_samples import facts
from homeport.bench.apply import Results, run
from homeport.bench.figures import State
from homeport.bench.plan import make
from homeport.bench.work import NotMeasured, StepFailed, Value, reason_of, words_of
from homeport.engine.process import Timed
from homeport.errors import ToolTimeout

SCENARIOS = ("sequential", "parallel", "unchanged")


def steady(key: str, seconds: float = 1.0) -> Callable[[int], list[Value]]:
    return lambda number: [Value(key, seconds + number, (f"note {key}",))]


def measured(does: dict[str, Callable[[int], list[Value]]], rounds: int = 3) -> tuple[Results, list[str]]:
    plan = make(facts(), SCENARIOS, rounds, ())
    results, said = Results(plan), list[str]()
    run(plan, {**{key: steady(key) for key in SCENARIOS}, **does}, results, said.append)
    return results, said


def test_values_of_all_rounds() -> None:
    results, said = measured({})
    found = results.figures
    assert {key: one.values for key, one in found.items()} == dict.fromkeys(SCENARIOS, (1.0, 2.0, 3.0))
    assert all(one.good and one.notes == (f"note {key}",) for key, one in found.items())
    assert "round 1 of 3: sequential" in said


def test_a_step_that_fails_is_a_row_and_is_not_tried_again() -> None:
    calls = []

    def broken(number: int) -> list[Value]:
        calls.append(number)
        if number == 1:
            raise StepFailed("web: exit code 1")
        return [Value("parallel", 1.0)]

    results, said = measured({"parallel": broken})
    one = results.figures["parallel"]
    assert calls == [0, 1]
    assert one.state is State.FAILED
    assert one.reason == "round 2: web: exit code 1"
    assert one.values == (1.0,)
    assert not one.good
    assert results.figures["unchanged"].good
    assert any("failed: web" in line for line in said)


def test_what_cannot_be_measured_says_why() -> None:
    def absent(number: int) -> list[Value]:
        raise NotMeasured("the image registry:2 can't be had")

    one = measured({"parallel": absent})[0].figures["parallel"]
    assert (one.state, one.reason) == (State.NOT_MEASURED, "the image registry:2 can't be had")


@pytest.mark.parametrize("problem", [ToolTimeout("It hangs.", cause="Nobody knows."), OSError("disk full")])
def test_errors_of_tools_and_systems_are_rows_too(problem: Exception) -> None:
    def broken(number: int) -> list[Value]:
        raise problem

    one = measured({"parallel": broken})[0].figures["parallel"]
    assert one.state is State.FAILED
    assert str(problem) in one.reason


def test_a_bug_is_no_row() -> None:
    def broken(number: int) -> list[Value]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        measured({"parallel": broken})


def test_an_interruption_keeps_what_was_measured() -> None:
    plan = make(facts(), SCENARIOS, 3, ())
    results = Results(plan)

    def interrupted(number: int) -> list[Value]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            plan,
            {**{key: steady(key) for key in SCENARIOS}, "parallel": interrupted},
            results,
            lambda _: None,
        )
    found = results.figures
    assert found["sequential"].values == (1.0,)
    assert found["parallel"].reason == found["unchanged"].reason == "interrupted before it"


def test_what_was_known_beforehand_stays() -> None:
    plan = make(facts(project=None), ("parallel", "rollback"), 1, ())
    results = Results(plan)
    run(plan, {"parallel": steady("parallel")}, results, lambda _: None)
    assert results.figures["rollback"].reason == "there is no Compose file"


def test_nobody_to_call_is_not_nothing_lost() -> None:
    plan = make(facts(), ("deploy",), 1, ())
    results = Results(plan)
    values = {"deploy-plain": [Value("deploy-plain", 3.0)],
              "deploy-zero": [Value("deploy-zero", 2.0), Value("deploy-zero-lost", 0.0)]}  # fmt: skip
    run(plan, {key: lambda _, own=own: own for key, own in values.items()}, results, lambda _: None)  # type: ignore[misc]
    found = results.figures
    assert found["deploy-plain"].good
    assert found["deploy-plain-lost"].state is State.NOT_MEASURED
    assert "answers HTTP" in found["deploy-plain-lost"].reason
    assert found["deploy-zero-lost"].values == (0.0,)


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            "x\nerror: The build failed.\ncause: pip.\n next: look\n",
            1,
            "error: The build failed. cause: pip.",
        ),
        ("#1 x\nERROR: failed to solve: y\n", 1, "ERROR: failed to solve: y"),
        ("something\nelse\n", 1, "else"),
        ("", 7, "exit code 7"),
        ("half", None, "no end after 9 s"),
    ],
)
def test_why_a_program_failed(said: str, code: int | None, words: str) -> None:
    assert words_of(Timed(code, 1.0, said), 9) == words


def test_an_error_in_a_line() -> None:
    assert reason_of(ToolTimeout("It\nhangs.", cause="Why.", detail="a\nb")) == "It hangs. Why. a b"
