"""What would be measured: scenarios, rounds, services, and what can't be had, with its reason."""

from __future__ import annotations

import pytest

from bench_samples import facts
from homeport.bench.plan import COPIES, make, makers
from homeport.bench.scenarios import PROMISES, SCENARIOS, STEPS, check_names, expectations
from homeport.errors import UsageError
from homeport.model.config import EXPECTED

ALL = tuple(SCENARIOS)


def test_everything_is_asked_for_by_default() -> None:
    assert check_names(()) == ALL
    found = make(facts(), ALL, 3, ())
    assert [step.key for step in found.steps] == [step.key for step in STEPS]
    assert found.missing == {}
    assert found.services == ("db", "api", "web")
    assert len({one.key for one in found.measures}) == len(found.measures)


def test_an_unknown_scenario() -> None:
    with pytest.raises(UsageError) as caught:
        check_names(("paralel",))
    assert caught.value.cause == "did you mean 'parallel'?"
    assert "one-changed" in caught.value.hint


def test_an_unknown_service() -> None:
    with pytest.raises(UsageError) as caught:
        make(facts(), ALL, 1, ("appi",))
    assert caught.value.cause == "did you mean 'api'?"


def test_no_rounds() -> None:
    with pytest.raises(UsageError, match="--rounds"):
        make(facts(), ALL, 0, ())


def test_each_round_begins_with_another_step_and_has_all() -> None:
    found = make(facts(), ("sequential", "parallel", "unchanged", "context"), 3, ())
    rounds = [[step.key for step in found.round(number)] for number in range(3)]
    assert rounds[0] == ["sequential", "parallel", "unchanged", "context"]
    # What comes to the same each time is done once.
    assert rounds[1] == ["parallel", "unchanged", "sequential"]
    assert rounds[2] == ["unchanged", "sequential", "parallel"]
    assert found.runs == 10


def test_a_step_measures_only_what_is_asked_for() -> None:
    found = make(facts(), ("rollback",), 1, ())
    assert [(step.key, [one.key for one in step.measures]) for step in found.steps] == [
        ("deploy-zero", ["rollback", "rollback-lost"])
    ]
    assert [one.key for one in found.measures] == ["rollback", "rollback-lost"]


def test_without_a_bake_file_deploys_are_left() -> None:
    found = make(facts(own=None), ALL, 1, ())
    assert {step.key for step in found.steps} == {"deploy-plain", "deploy-zero"}
    assert found.missing["parallel"] == "there is no bake file"
    assert found.missing["context-with"] == "there is no bake file"


def test_without_a_compose_file_builds_are_left() -> None:
    found = make(facts(project=None), ALL, 1, ())
    assert "parallel" in {step.key for step in found.steps}
    assert found.missing["rollback"] == found.missing["deploy-plain-lost"] == "there is no Compose file"


def test_an_engine_on_another_machine() -> None:
    found = make(facts(local=False), ALL, 1, ())
    assert {*found.missing} >= {"fresh", "deploy-plain", "deploy-zero", "rollback"}
    assert "another machine" in found.missing["fresh"]


def test_services_narrow_builds_and_deploys() -> None:
    found = make(facts(), ALL, 1, ("api",))
    assert found.builds is not None
    assert found.builds.definition.requested == ("api",)
    assert found.services == ("api",)
    image = make(facts(), ALL, 1, ("db",))
    assert image.builds is None
    assert "is built here" in image.missing["parallel"]
    assert image.services == ("db",)
    target = make(facts(), ALL, 1, ("base",))
    assert target.builds is not None
    assert target.builds.order == ("base",)
    assert "no service" in target.missing["deploy-zero"]


def test_which_target_makes_the_image_of_a_service() -> None:
    assert makers(facts()) == {"api": "api", "web": "web"}
    assert makers(facts(own=None)) == {}


def test_how_long_it_may_take() -> None:
    found = make(facts(), ("sequential", "parallel", "context"), 2, ())
    assert found.expected_seconds({"sequential": 30.0}) == (60.0, ("parallel",))


def test_each_step_that_builds_has_a_copy() -> None:
    assert {*COPIES} == {step.key for step in STEPS} - {"context"}
    keys = {one.key for step in STEPS for one in step.measures}
    assert {each for one in PROMISES for each in (one.before, one.after)} <= keys
    assert {one.scenario for step in STEPS for one in step.measures} == {*SCENARIOS}


def test_expectations() -> None:
    assert expectations(EXPECTED)["build"] == (50.0, 70.0)
    assert {*EXPECTED} == {one.name for one in PROMISES}
    assert expectations({"deploy": "25"}) == {"deploy": (25.0, 25.0)}
    assert expectations({}) == {}


@pytest.mark.parametrize("text", ["", "a lot", "70-50", "50-", "-5", "0-120", "nan", "50%"])
def test_what_is_no_expectation(text: str) -> None:
    with pytest.raises(UsageError, match="no range"):
        expectations({"build": text})


def test_an_unknown_promise() -> None:
    with pytest.raises(UsageError) as caught:
        expectations({"biuld": "50"})
    assert caught.value.cause == "did you mean 'build'?"
