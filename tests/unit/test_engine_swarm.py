"""What the engine says of a swarm's services and tasks, read."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.engine import swarm

CONTAINER: dict[str, Any] = {
    "Image": "x/api:2@sha256:bb",
    "Env": ["V=2"],
    "Labels": {"io.homeport.form": "r2"},
}
OLD: dict[str, Any] = {"Image": "x/api:1@sha256:aa", "Env": ["V=1"], "Labels": {"io.homeport.form": "r1"}}
TASK: dict[str, Any] = {
    "ID": "t1",
    "ServiceID": "s1",
    "DesiredState": "shutdown",
    "Status": {"State": "failed", "Err": "task: non-zero exit (7)", "Timestamp": "2026-11-30T20:44:31.7Z"},
    "Spec": {"ContainerSpec": CONTAINER},
}
SERVICE: dict[str, Any] = {
    "ID": "s1",
    "Spec": {
        "Name": "shop_api_v2",
        "Labels": {"io.homeport.settings": "2"},
        "TaskTemplate": {"ContainerSpec": CONTAINER},
        "Mode": {"Replicated": {"Replicas": 3}},
    },
    "PreviousSpec": {"Labels": {"io.homeport.settings": "1"}, "TaskTemplate": {"ContainerSpec": OLD}},
    "UpdateStatus": {"State": "rollback_started", "Message": "update rolled back"},
}


def test_a_task_that_failed() -> None:
    task = swarm.parse_task(TASK)
    assert (task.id, task.service, task.state, task.wanted, task.failed) == (
        "t1",
        "s1",
        "failed",
        False,
        True,
    )
    assert (task.error, task.at) == ("task: non-zero exit (7)", "2026-11-30T20:44:31.7Z")
    assert task.labels["io.homeport.form"] == "r2"


def test_a_task_without_anything_is_not_well() -> None:
    task = swarm.parse_task({"Spec": {"ContainerSpec": {"Labels": None}}})
    assert (task.wanted, task.state, task.failed, dict(task.labels)) == (False, "", False, {})


def test_a_service_with_what_it_was_before() -> None:
    task = swarm.parse_task(TASK)
    found = swarm.parse_service(SERVICE, "shop", {"s1": [task], "s2": [task, task]})
    assert (found.name, found.image, found.count, found.job) == ("api_v2", "x/api:2@sha256:bb", 3, False)
    assert (found.update, found.said) == ("rollback_started", "update rolled back")
    assert found.containers == (CONTAINER, OLD)
    assert [labels["io.homeport.settings"] for labels in found.all_labels] == ["2", "1"]
    assert found.tasks == (task,)


@pytest.mark.parametrize(
    ("mode", "count", "job"),
    [
        ({"Replicated": {"Replicas": 0}}, 0, False),
        ({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}}, 2, True),
        ({"Global": {}}, 1, False),
    ],
)
def test_how_many_tasks_it_should_have(mode: dict[str, Any], count: int, job: bool) -> None:
    running = swarm.parse_task({**TASK, "DesiredState": "running"})
    document = {**SERVICE, "Spec": {**SERVICE["Spec"], "Mode": mode}}
    found = swarm.parse_service(document, "shop", {"s1": [running, swarm.parse_task(TASK)]})
    assert (found.count, found.job) == (count, job)


def test_values_are_not_shown_by_accident() -> None:
    found = swarm.parse_service(SERVICE, "shop", {"s1": [swarm.parse_task(TASK)]})
    assert "V=" not in repr(found)
