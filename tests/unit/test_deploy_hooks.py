"""Commands of this machine: what they are told, and what their failure says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from homeport.deploy.desired import Desired
from homeport.deploy.hooks import HookFailed, Hooks
from homeport.deploy.plan import Action, DeployPlan, Step
from homeport.deploy.work import Work
from homeport.engine.process import Completed
from homeport.errors import ToolMissing, ToolTimeout
from homeport.model.stack import Stack

SECRET = "hunter2hunter2"  # noqa: S105 - what must not be seen


class World:
    """What is started, and how it ends."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.started: list[list[str]] = []
        self.told: Mapping[str, str] = {}

    def start(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float) -> Completed:
        self.started.append(list(argv))
        self.told = env
        if argv[0] == "missing":
            raise ToolMissing("The program 'missing' was not found.")
        if argv[0] == "slow":
            raise ToolTimeout(f"no answer within {timeout} s")
        return Completed(tuple(argv), self.codes.get(argv[0], 0), "no such table\n", "")

    def hooks(self) -> Hooks:
        steps = {name: Step(name, Action.NEW, "") for name in ("api", "db")}
        plan, wanted = DeployPlan("shop", steps, {}), Desired("shop", {}, {}, {})
        here = Path()
        work = Work(plan, Stack("shop", {}, {}), wanted, {}, {}, here, lambda event: None, 1.0, 600.0)
        return Hooks("shop", "deploy", here, work, self.start)


def test_a_command_is_told_what_changes() -> None:
    world = World()
    made = world.hooks()
    made.run("before", ["sh -c 'echo 1 2'"])
    assert world.started == [["sh", "-c", "echo 1 2"]]
    assert world.told == {
        "HOMEPORT_STACK": "shop",
        "HOMEPORT_COMMAND": "deploy",
        "HOMEPORT_SERVICES": "api db",
    }
    assert [(event.service, event.what, event.detail) for event in made.work.events] == [
        ("shop", "before", "sh"),
        ("shop", "ran", "before"),
    ]


def test_the_first_that_fails_is_the_last() -> None:
    world = World(bad=3)
    with pytest.raises(HookFailed) as caught:
        world.hooks().run("after", ["good", f"bad {SECRET}", "never"])
    assert caught.value.what == "'bad' (after the deploy) ended with exit code 3."
    assert caught.value.detail == "no such table"
    assert [argv[0] for argv in world.started] == ["good", "bad"]


@pytest.mark.parametrize("command", ["", "   ", "echo 'open"])
def test_what_is_no_command(command: str) -> None:
    world = World()
    with pytest.raises(HookFailed, match="is none"):
        world.hooks().run("before", [command])
    assert world.started == []


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("missing", r"'missing' \(before the deploy\) can't be started"),
        ("slow", r"'slow' \(before the deploy\) didn't end within 600 s"),
    ],
)
def test_what_does_not_start_or_end(program: str, said: str) -> None:
    made = World().hooks()
    with pytest.raises(HookFailed, match=said):
        made.run("before", [f"{program} {SECRET}"])
    assert made.work.events[-1].what == "ran"


@pytest.mark.parametrize("program", ["bad", "missing", "slow"])
def test_arguments_are_shown_nowhere(program: str) -> None:
    made = World(bad=1).hooks()
    with pytest.raises(HookFailed) as caught:
        made.run("before", [f"{program} --password {SECRET}"])
    assert SECRET not in str(caught.value.as_dict())
    assert SECRET not in str(made.work.events)
