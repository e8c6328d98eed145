"""A release on Swarm: what it keeps, that no value is in it, and how it is put together again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.swarm import private
from homeport.deploy.swarm.private import Sources
from homeport.engine.swarm import Service
from swarm_samples import SHARED, Spec, one_set, running, task

SECRET = "hunter2"  # noqa: S105 - so that it can be looked for
NFS: dict[str, dict[str, Any]] = {
    **SHARED,
    "volumes": {"data": {"name": "shop_data", "driver_opts": {"o": f"password={SECRET}"}}},
}
FULL: Spec = {
    "environment": {"PASSWORD": SECRET, "PRICE": "$$5"},
    "command": ["serve", f"--key={SECRET}", "$$HOME"],
    "entrypoint": ["sh", "-c", SECRET],
    "labels": {"auth": SECRET},
    "healthcheck": {"test": ["CMD", "ask", SECRET], "interval": "1s"},
    "logging": {"driver": "splunk", "options": {"token": SECRET}},
    "deploy": {"labels": {"users": SECRET}, "replicas": 2},
    "volumes": [{"type": "volume", "source": "data", "target": "/data"}],
}


def kept(one: ReplicaSet) -> dict[str, Any]:
    """As it is read back from a config."""
    found: dict[str, Any] = json.loads(json.dumps(private.without(one, NFS)))
    return found


def again(one: ReplicaSet, runs: Service | None, today: ReplicaSet | None) -> ReplicaSet | None:
    own = kept(one)
    uses = private.uses_again(own, NFS)
    return private.restore(one.service, one.name, one.image, own, uses, private.sources(runs, today))


def test_no_value_is_kept() -> None:
    assert SECRET not in json.dumps(kept(one_set(shared=NFS, **FULL)))
    assert SECRET in json.dumps(one_set(shared=NFS, **FULL).spec)


def test_what_is_no_value_is_kept() -> None:
    own = kept(one_set(shared=NFS, **FULL))
    assert own["spec"]["deploy"]["replicas"] == 2
    assert own["spec"]["healthcheck"] == {"interval": "1s"}
    assert own["spec"]["logging"] == {"driver": "splunk"}
    assert own["uses"]["volumes"] == {"data": {"name": "shop_data"}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        FULL,
        {"environment": {"A": "a=b"}},
        {"healthcheck": {"test": ["CMD", "a"]}},
        {"healthcheck": {"test": ["NONE"]}},
    ],
)
def test_what_runs_is_found_in_what_runs(spec: Spec) -> None:
    one = one_set(shared=NFS, **spec)
    # Options of drivers are in the file only; it says the same of them still.
    assert again(one, running(one), one_set(shared=NFS, **{**FULL, "environment": {"OTHER": "1"}})) == one


def test_what_ran_before_the_last_update_is_found_there() -> None:
    old, new = one_set(environment={"V": "1"}), one_set(environment={"V": "2"})
    assert again(old, running(new, before=old), new) == old


def test_what_ran_long_ago_is_found_in_its_last_tasks() -> None:
    oldest, old, new = (one_set(environment={"V": value}) for value in "123")
    history = (task(new), task(old, "shutdown", wanted=False), task(oldest, "shutdown", wanted=False))
    assert again(oldest, running(new, *history, before=old), new) == oldest


def test_what_is_in_the_file_again_is_found_there() -> None:
    one = one_set(shared=NFS, **FULL)
    assert again(one, None, one) == one


def test_what_says_nothing_private_needs_no_source() -> None:
    one = one_set(expose=["8000"])
    assert again(one, None, None) == one


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"environment": {"V": "1"}}, {"environment": {"V": "2"}}),
        ({"deploy": {"labels": {"a": "1"}}}, {"deploy": {"labels": {"a": "2"}}}),
        (
            {"logging": {"driver": "x", "options": {"a": "1"}}},
            {"logging": {"driver": "x", "options": {"a": "2"}}},
        ),
    ],
)
def test_what_is_nowhere_is_not_made_up(was: Spec, now: Spec) -> None:
    assert again(one_set(**was), running(one_set(**now)), one_set(**now)) is None


def test_other_options_of_a_volume_are_not_taken_for_the_old_ones() -> None:
    volumes = [{"type": "volume", "source": "data", "target": "/data"}]
    own = kept(one_set(shared=NFS, volumes=volumes))
    today = {**SHARED, "volumes": {"data": {"name": "shop_data", "driver_opts": {"o": "other"}}}}
    one = one_set(shared=NFS, volumes=volumes)
    assert (
        private.restore("api", one.name, "", own, private.uses_again(own, today), Sources((), ({},))) is None
    )


def test_a_container_says_the_same_as_the_document() -> None:
    one = one_set(shared=NFS, **FULL)
    (found,) = private.sources(running(one, task(one)), None).containers[:1]
    assert found == private.of_set(one)


def test_a_health_check_that_is_switched_off_is_none() -> None:
    assert private.of_container({"Healthcheck": {"Test": ["NONE"]}, "Env": ["UNSET"]}) == {}
