"""Deploying a stack under load: nobody misses an answer, whatever becomes of the deploy."""

from __future__ import annotations

from collections import Counter

from engine_fixtures import docker
from live_stack import LiveStack, Load, MakeStack


def nothing_lost(load: Load) -> None:
    assert load.failures == []
    assert load.sent > 300


def answered_once(stack: LiveStack, load: Load) -> None:
    """Each body that was posted came to exactly one replica, exactly once."""
    names = docker(
        "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={stack.name}",
        "--filter", "label=io.homeport.role=replica",
    ).split()  # fmt: skip
    lines = [line for name in names for line in docker("logs", name).splitlines()]
    noted = Counter(line.split()[1] for line in lines if line.startswith("note "))
    assert noted == Counter(load.posted)


def test_a_change_and_back_under_load(stack: MakeStack) -> None:
    made = stack()
    first = made.homeport("deploy", "--zero-downtime")
    assert first.document["release"]["id"] == "r1"
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    # Without connections that stay open for good: each drain would take its full limit.
    with made.load(kinds="new,keep,post,slow") as load:
        made.change("app", VERSION="2")
        second = made.homeport("deploy")
        assert ("app", "switch") in second.events
        third = made.homeport("rollback")
        assert third.document["release"]["of"] == 1
    nothing_lost(load)
    assert load.versions == {"1", "2"}
    answered_once(made, load)


def test_a_replica_that_never_gets_healthy(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    with made.load() as load:
        made.change("app", VERSION="2", HEALTH="bad")
        failed = made.homeport("deploy", "--gate", "10", code=3)
        assert "app doesn't pass its gate" in failed.said
        assert "Everything runs as before" in failed.said
        assert "503" in failed.said  # what its health check said
    nothing_lost(load)
    assert load.versions == {"1"}
    assert made.containers() == before


def test_a_replica_that_crashes(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.change("app", VERSION="2", CRASH="1")
    failed = made.homeport("deploy", code=3)
    assert "ended with exit code 1" in failed.said
    assert "crashing, as told" in failed.said
    assert made.containers() == before


def test_a_single_writer_is_stopped_first_and_its_callers_wait(stack: MakeStack) -> None:
    made = stack({"volumes": ["data:/data"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    plan = made.homeport("deploy", "--dry-run")
    assert plan.actions == {"app": "unchanged"}
    (old,) = made.replicas()
    with made.load(rate=60) as load:
        made.change("app", VERSION="2")
        assert made.homeport("deploy", "--dry-run").actions == {"app": "stop-first"}
        done = made.homeport("deploy")
        assert [what for _, what in done.events].index("stop") < [what for _, what in done.events].index(
            "start"
        )
    nothing_lost(load)
    assert load.versions == {"1", "2"}
    answered_once(made, load)
    # Callers wait until the new one has started. That Compose makes it takes a second more, and comes before.
    (new,) = (name for name in made.replicas() if name != old)
    made_at = docker("inspect", "--format", "{{.Created}}", new)
    stopped_at = docker("inspect", "--format", "{{.State.FinishedAt}}", old)
    assert made_at[:23] < stopped_at[:23]


def test_who_makes_callers_wait_comes_after_the_others(stack: MakeStack) -> None:
    writer = {"environment": {"VERSION": "1"}, "expose": ["8000"], "volumes": ["data:/data"]}
    made = stack(writer=writer, after={"environment": {"VERSION": "1"}, "depends_on": ["writer"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    for service in ("app", "writer", "after"):
        made.change(service, VERSION="2", START_SECONDS="1")
    done = made.homeport("deploy")
    order = [done.events.index(event) for event in (("app", "switch"), ("writer", "hold"))]
    assert order == sorted(order)
    assert done.events.index(("writer", "switch")) < done.events.index(("after", "start"))
    made.change("writer", VERSION="3")
    made.change("app", VERSION="3", HEALTH="bad")
    failed = made.homeport("deploy", "--gate", "3", code=3)
    assert ("app", "failed") in failed.events
    assert ("writer", "hold") not in failed.events


def test_a_service_that_only_listens_to_itself(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.change("app", VERSION="2", LISTEN="127.0.0.1")
    failed = made.homeport("deploy", code=3)
    assert "can't connect to it on port 8000, 9000" in failed.said
    assert made.containers() == before


def test_without_fronts_it_is_a_gated_update_that_can_be_undone_and_rolled_back(stack: MakeStack) -> None:
    made = stack()
    made.compose["services"]["app"]["container_name"] = f"{made.name}-own"
    made.write()
    assert made.homeport("deploy").document["release"]["services"]["app"]["front"] is False
    assert f"{made.name}-own" in made.containers()
    made.change("app", VERSION="2", HEALTH="bad")
    made.homeport("deploy", "--gate", "3", code=3)
    with made.load(1) as load:
        pass
    assert load.failures == []
    assert load.versions == {"1"}
    made.change("app", HEALTH="good")
    assert made.homeport("deploy").actions == {"app": "stop-first"}
    with made.load(1) as load:
        pass
    assert load.versions == {"2"}
    made.homeport("rollback")
    with made.load(1) as load:
        pass
    assert load.versions == {"1"}
    assert made.containers()[f"{made.name}-own"] == "running"
    # And from here to fronts.
    done = made.homeport("deploy", "--zero-downtime")
    assert ("app", "front") in done.events
    with made.load(1) as load:
        pass
    assert load.failures == []
    assert made.homeport("status").document["services"][0]["front"] == "front"
