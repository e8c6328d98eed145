"""Commands before and after, portions of replicas, and what the failure of one service means for all."""

from __future__ import annotations

from typing import Any

from engine_fixtures import docker
from live_stack import LiveStack, MakeStack

QUICK: dict[str, Any] = {"healthcheck": {"test": ["CMD", "true"], "interval": "30s"}}
BESIDE: dict[str, Any] = {**QUICK, "expose": ["8000"], "environment": {"VERSION": "1"}}
WRITES = "import os, pathlib; pathlib.Path('/shared/log').open('a').write(os.environ['VERSION'] + ' {}\\n')"


def written(stack: LiveStack) -> list[str]:
    return docker(
        "run", "--rm", f"--volume={stack.name}_shared:/shared", "--entrypoint=cat", stack.image, "/shared/log"
    ).splitlines()


def test_commands_run_in_the_new_image_before_and_after_and_not_again(stack: MakeStack) -> None:
    made = stack(
        {
            **QUICK,
            "volumes": ["shared:/shared"],
            "deploy": {"update_config": {"order": "start-first"}},
            "x-homeport": {
                "before": ["python3", "-c", WRITES.format("before")],
                "after": ["python3", "-c", WRITES.format("after")],
            },
        }
    )
    made.compose["volumes"] = {"shared": {}}
    made.write()
    first = made.homeport("deploy", "--zero-downtime")
    assert [what for _, what in first.events][:4] == ["before", "ran", "start", "passed"]
    assert written(made) == ["1 before", "1 after"]
    made.homeport("deploy")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    assert written(made) == ["1 before", "1 after", "2 before", "2 after"]
    made.homeport("rollback")
    assert written(made) == ["1 before", "1 after", "2 before", "2 after"]
    assert not any(".before" in name or ".after" in name for name in made.containers())


def test_a_command_that_fails_before_leaves_everything_as_it_is(stack: MakeStack) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.compose["services"]["app"]["x-homeport"] = {
        "before": ["python3", "-c", "raise SystemExit('the migration does not work')"]
    }
    made.change("app", VERSION="2")
    failed = made.homeport("deploy", code=3)
    assert "app has a command to be run before it, which fails: it ended with exit code 1" in failed.said
    assert "the migration does not work" in failed.said
    assert made.containers() == before


def test_a_command_that_fails_after_undoes_the_deploy(stack: MakeStack) -> None:
    # As HTTP, requests are drained; as TCP, connections that are kept would be, for the whole limit.
    made = stack({**QUICK, "x-homeport": {"mode": "http"}})
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.compose["services"]["app"]["x-homeport"]["after"] = "python3 -c 'raise SystemExit(7)'"
    made.change("app", VERSION="2")
    with made.load(rate=60, kinds="new,keep") as load:
        failed = made.homeport("deploy", code=3)
    assert "run after it, which fails: it ended with exit code 7" in failed.said
    assert load.failures == []
    assert "1" in load.versions
    assert made.containers() == before


def test_commands_of_this_machine(stack: MakeStack) -> None:
    made = stack(QUICK)
    config = made.folder / "homeport.toml"
    (made.folder / "tell.py").write_text(
        "from os import environ as e\n"
        "print(e['HOMEPORT_COMMAND'], e['HOMEPORT_SERVICES'], file=open('told', 'a'))\n",
        encoding="utf-8",
    )
    config.write_text("[deploy]\nbefore = ['python3 tell.py']\n", encoding="utf-8")
    made.homeport("deploy", "--zero-downtime")
    assert (made.folder / "told").read_text(encoding="utf-8") == "deploy app\n"
    config.write_text("[deploy]\nafter = ['sh -c \"echo smoke test says no; exit 4\"']\n", encoding="utf-8")
    before = made.containers()
    made.change("app", VERSION="2")
    failed = made.homeport("deploy", code=3)
    assert "(after the deploy) ended with exit code 4" in failed.said
    assert "smoke test says no" in failed.said
    assert made.containers() == before
    config.write_text("[deploy]\nbefore = ['no-such-program --now']\n", encoding="utf-8")
    assert "'no-such-program' (before the deploy) can't be started" in made.homeport("deploy", code=3).said


def test_replicas_come_in_portions(stack: MakeStack) -> None:
    made = stack({**QUICK, "deploy": {"replicas": 3, "update_config": {"parallelism": 2}}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    done = made.homeport("deploy")
    said = [event["detail"] for event in done.document["events"] if event["what"] == "start"]
    assert [detail.partition(", ")[2] for detail in said] == ["2 of 3", ""]
    assert sum(state == "running" for state in made.containers().values()) == 4
    assert made.homeport("status").code == 0
    assert made.homeport("rollback").document["release"]["of"] == 1


def bad_beside(stack: MakeStack, action: str) -> LiveStack:
    """Two services, of which the second, which waits for the first, doesn't get healthy any more."""
    update = {"deploy": {"update_config": {"failure_action": action}}}
    made = stack(QUICK, beside={**BESIDE, **update, "depends_on": ["app"]})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.change("beside", VERSION="2", CRASH="1")
    return made


def test_a_service_may_fail_alone(stack: MakeStack) -> None:
    made = bad_beside(stack, "continue")
    done = made.homeport("deploy", code=1)
    assert "beside failed and runs as before" in done.said
    assert "crashing, as told" in done.said
    assert made.homeport("status").code == 0
    serving = {one["name"]: one["serving"] for one in made.homeport("status").document["services"]}
    made.change("beside", VERSION="1")
    del made.compose["services"]["beside"]["environment"]["CRASH"]
    made.write()
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged", "beside": "unchanged"}
    assert len(serving) == 2


def test_a_failure_may_pause_the_deploy(stack: MakeStack) -> None:
    made = bad_beside(stack, "pause")
    paused = made.homeport("deploy", code=4)
    assert "The deploy is paused" in paused.said
    assert "homeport rollback --to r1" in paused.said
    assert made.homeport("status", code=1).code == 1  # app has its new form, and beside its old
    made.homeport("rollback", "--to", "r1")
    assert made.homeport("status").code == 0
    assert sum(state == "running" for state in made.containers().values()) == 4
