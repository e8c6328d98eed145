"""Whoever reaches a service keeps reaching it: by every name, address and network that it has in its file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine_fixtures import DockerSession, docker
from live_stack import LiveStack, MakeStack

ASK = (
    "import sys, urllib.request as r\n"
    "for name in sys.argv[1:]: print(name, r.urlopen(f'http://{name}:8000/', timeout=5).status)"
)


@pytest.fixture
def shared(docker_session: DockerSession) -> Iterator[str]:
    """A network that is nobody's own, with addresses to choose from."""
    name = docker_session.name("shared")
    docker("network", "create", "--label", docker_session.label, "--subnet", "10.213.77.0/24", name)
    yield name
    docker("network", "rm", name)


def reached(stack: LiveStack, network: str, *names: str) -> list[str]:
    argv = ["run", "--rm", f"--network={network}", "--entrypoint=python3", stack.image, "-c", ASK, *names]
    return [line.split()[0] for line in docker(*argv).splitlines() if line.endswith(" 200")]


def test_two_stacks_on_a_network_that_neither_owns(shared: str, stack: MakeStack) -> None:
    first = stack(
        {
            "container_name": f"{shared}-one",
            "networks": {
                "default": {"aliases": ["inside"]},
                "shared": {"aliases": ["outside"], "ipv4_address": "10.213.77.10"},
            },
        }
    )
    second = stack({"networks": ["default", "shared"]})
    other = second.compose["services"].pop("app")
    second.compose["services"]["other"] = {key: value for key, value in other.items() if key != "ports"}
    for one in (first, second):
        one.compose["networks"] = {"shared": {"external": True, "name": shared}}
        one.write()
        one.homeport("deploy", "--zero-downtime")
    everywhere = ("app", f"{shared}-one", "outside", "10.213.77.10", "other")
    own = ("app", f"{shared}-one", "inside")
    assert reached(first, shared, *everywhere) == list(everywhere)
    assert reached(first, f"{first.name}_default", *own) == list(own)

    with first.load(rate=60, kinds="new,post", beside="inside") as load:
        first.change("app", VERSION="2")
        assert ("app", "switch") in first.homeport("deploy").events
        assert reached(first, shared, *everywhere) == list(everywhere)
        first.homeport("rollback")
    assert load.failures == []
    assert load.versions == {"1", "2"}
    assert reached(first, shared, *everywhere) == list(everywhere)
    assert reached(first, f"{first.name}_default", *own) == list(own)
    assert second.homeport("deploy", "--dry-run").actions == {"other": "unchanged"}
    assert second.homeport("status").code == 0
