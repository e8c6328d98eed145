"""The backend for Swarm on a real swarm, in an engine of its own: the shared one is never made a manager."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import RunHomeport, Sandbox, another_engine, docker
from homeport.deploy import notes
from homeport.engine import configs
from live_stack import Outcome

PASSWORD = "hunter2"  # noqa: S105 - so that it can be looked for
QUICK: dict[str, Any] = {"delay": "1s"}
# No VIP: it needs IPVS, which not every kernel of a test machine has.
DEPLOY: dict[str, Any] = {
    "endpoint_mode": "dnsrr", "update_config": {"monitor": "500ms"}, "rollback_config": {"monitor": "500ms"},
    "restart_policy": QUICK,
}  # fmt: skip
SERVE = 'echo "version $$VERSION"; test "$$VERSION" != bad || exit 7; exec sleep 1000'


@pytest.fixture(scope="module")
def manager(tiny_image: str) -> Iterator[str]:
    """DOCKER_HOST of a swarm of one machine that has the tiny image."""
    with another_engine() as host:
        docker("--host", host, "swarm", "init", "--advertise-addr", "127.0.0.1")
        saved = subprocess.run(["docker", "save", tiny_image], capture_output=True, check=True).stdout
        subprocess.run(["docker", "--host", host, "load"], input=saved, capture_output=True, check=True)
        yield host


@dataclass
class SwarmStack:
    """A project in ``folder``, and what a swarm has of it."""

    folder: Path
    host: str
    run: RunHomeport
    compose: dict[str, Any]

    def service(self, name: str, image: str, version: str, **more: Any) -> None:
        self.compose["services"][name] = {
            "image": image, "command": ["sh", "-c", SERVE], "init": True, "expose": ["8000"],
            "environment": {"VERSION": version, "PASSWORD": f"{PASSWORD}-{version}", "PRICE": "$$5"},
            "deploy": DEPLOY, **more,
        }  # fmt: skip
        (self.folder / "compose.yml").write_text(json.dumps(self.compose), encoding="utf-8")

    def homeport(self, *words: str, code: int = 0) -> Outcome:
        done = self.run([*words, "--json", "-"], self.folder, {"DOCKER_HOST": self.host})
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return Outcome(done.returncode, done.stderr, json.loads(done.stdout or "{}"))

    def down(self) -> None:
        done = self.run(["down", "--volumes"], self.folder, {"DOCKER_HOST": self.host})
        assert done.returncode == 0, done.stderr

    def docker(self, *words: str) -> str:
        return docker("--host", self.host, *words)

    def in_container(self, service: str, *words: str) -> str:
        full, running = f"{self.compose['name']}_{service}", "desired-state=running"
        (task,) = self.docker("service", "ps", "--quiet", "--no-trunc", "--filter", running, full).split()
        container = "{{.Status.ContainerStatus.ContainerID}}"
        return self.docker("exec", self.docker("inspect", "--format", container, task), *words)

    def services(self) -> set[str]:
        own = f"label=com.docker.stack.namespace={self.compose['name']}"
        return set(self.docker("service", "ls", "--filter", own, "--format", "{{.Name}}").split())


@pytest.fixture
def stack(sandbox: Sandbox, run_homeport: RunHomeport, manager: str) -> Iterator[SwarmStack]:
    folder = sandbox({"homeport.toml": '[deploy]\nbackend = "swarm"\ngate = 60\n', "token": "first\n"})
    made = SwarmStack(folder, manager, run_homeport, {"name": "shop", "services": {}})
    yield made
    if made.services():
        made.down()


def test_a_stack_from_its_first_deploy_to_its_end(stack: SwarmStack, tiny_image: str) -> None:
    stack.compose["secrets"] = {"token": {"file": "./token"}}
    secret: dict[str, Any] = {"secrets": ["token"]}
    secret["depends_on"] = {"migrate": {"condition": "service_completed_successfully"}}
    stack.service("migrate", tiny_image, "1", command=["true"])
    stack.service("app", tiny_image, "1", container_name="app", **secret)

    planned = stack.homeport("deploy", "--dry-run")
    assert planned.actions == {"migrate": "run", "app": "new"}
    assert stack.services() == set()

    first = stack.homeport("deploy", "--zero-downtime", "--message", "the first")
    assert first.events == [(name, what) for name in ("migrate", "app") for what in ("start", "passed")]
    assert "routing mesh" in first.said
    assert "container_name of app is left out" in first.said
    assert "Nothing to deploy" in stack.homeport("deploy").said

    # Another version with another secret, and a service that it waits for.
    secret["depends_on"]["db"] = {"condition": "service_started"}
    (stack.folder / "token").write_text("second\n", encoding="utf-8")
    stack.service("db", tiny_image, "1")
    stack.service("app", tiny_image, "2", **secret)
    second = stack.homeport("deploy")
    assert second.actions == {"migrate": "unchanged", "app": "start-first", "db": "new"}
    assert [event for event in second.events if event[1] == "passed"] == [("db", "passed"), ("app", "passed")]
    assert stack.in_container("app", "cat", "/run/secrets/token") == "second"

    # One that fails takes everything back, also what had passed before it.
    stack.service("db", tiny_image, "2")
    stack.service("app", tiny_image, "bad", **secret)
    failed = stack.homeport("deploy", code=3)
    assert "Everything runs as before" in failed.said
    assert "version bad" in failed.said
    assert "non-zero exit (7)" in failed.document["error"]["detail"]
    assert stack.in_container("db", "sh", "-c", "echo $VERSION") == "1"
    now = {one["name"]: one["serving"] for one in stack.homeport("status").document["services"]}
    assert now == {one["name"]: one["after"] for one in second.document["services"]}

    back = stack.homeport("rollback")
    assert back.actions == {"app": "start-first", "db": "removed"}
    assert stack.services() == {"shop_app", "shop_migrate"}
    assert stack.in_container("app", "sh", "-c", "echo $PASSWORD $PRICE") == f"{PASSWORD}-1 $5"
    assert stack.in_container("app", "cat", "/run/secrets/token") == "first"

    releases = stack.homeport("releases").document["releases"]
    assert [(one["id"], one["outcome"], one["of"]) for one in releases] == [
        ("r4", "passed", 1), ("r3", "undone", 0), ("r2", "passed", 0), ("r1", "passed", 0),
    ]  # fmt: skip
    assert releases[-1]["message"] == "the first"
    kept = stack.docker("config", "inspect", *stack.docker("config", "ls", "--quiet").split())
    assert PASSWORD not in kept + "".join(configs_of(kept))

    stack.down()
    assert stack.services() == set()
    assert stack.docker("config", "ls", "--quiet") + stack.docker("secret", "ls", "--quiet") == ""


def configs_of(inspected: str) -> list[str]:
    """What is in configs, by what ``docker config inspect`` says."""
    import base64

    return [base64.b64decode(one["Spec"]["Data"]).decode() for one in json.loads(inspected)]


def test_a_new_service_that_fails_is_taken_away(stack: SwarmStack, tiny_image: str) -> None:
    stack.service("app", tiny_image, "bad")
    failed = stack.homeport("deploy", code=3)
    assert "version bad" in failed.said
    assert stack.services() == set()
    assert [one["outcome"] for one in stack.homeport("releases").document["releases"]] == ["undone"]


def test_what_swarm_can_not_do_is_refused_before_anything_is_touched(
    stack: SwarmStack, tiny_image: str
) -> None:
    stack.service("app", tiny_image, "1", ports=["127.0.0.1:18000:8000"])
    assert "every address" in stack.homeport("deploy", code=2).document["error"]["cause"]
    # What plain Compose runs would write to the same volumes.
    label = "--label=com.docker.compose.project=shop"
    running = stack.docker("run", "--detach", "--rm", "--init", label, tiny_image, "sleep", "1000")
    assert "Compose runs shop" in stack.homeport("deploy", code=2).document["error"]["what"]
    stack.docker("rm", "--force", running)
    assert stack.services() == set()


def test_every_manager_sees_the_lock(manager: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", manager)
    with notes.Lock("shop", "deploy", 0, print, configs):
        holder = notes.holder_of("shop", configs)
        assert holder is not None
        assert holder.reason == "deploy"
        with pytest.raises(notes.Locked), notes.Lock("shop", "down", 0, print, configs):
            pytest.fail("two have it")
    assert notes.holder_of("shop", configs) is None


def test_an_engine_without_a_swarm_is_said_so(
    sandbox: Sandbox, run_homeport: RunHomeport, engine: object
) -> None:
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "inactive":
        pytest.skip("this engine is in a swarm")
    folder = sandbox(
        {
            "homeport.toml": '[deploy]\nbackend = "swarm"\n',
            "compose.yml": '{"services": {"a": {"image": "a"}}}',
        }
    )
    for command in (["deploy", "--dry-run"], ["status"]):
        done = run_homeport(command, folder)
        assert done.returncode == 2
        assert "The engine manages no swarm" in done.stderr
        assert "docker swarm init" in done.stderr
    (folder / "homeport.toml").write_text('[deploy]\nbackend = "swam"\n', encoding="utf-8")
    done = run_homeport(["status"], folder)
    assert done.returncode == 2
    assert "did you mean 'swarm'?" in done.stderr
