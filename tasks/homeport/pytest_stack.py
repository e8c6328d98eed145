"""The fixtures of pytest_plugin.py: a stack, its services for pytest-docker, and logs where a test fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pytest_docker.plugin import DockerComposeExecutor, Services, containers_scope

from homeport.commands import settings
from homeport.engine import containers, docker
from homeport.engine.signals import on_stop_request
from homeport.sources.mounted import Sources
from homeport.test import facts, integration, probes, stack
from homeport.test.flow import knows_start_interval
from homeport.test.stack import Stack

_LOG_LINES = 30
_FIXTURES = {"homeport_stack", "docker_services"}
_STACK = pytest.StashKey[Stack]()


@dataclass(frozen=True)
class HomeportStack:
    """The stack under test, as tests see it."""

    stack: Stack

    @property
    def project(self) -> str:
        """The Compose project's name, for ``docker compose --project-name``."""
        return self.stack.project

    @property
    def services(self) -> tuple[str, ...]:
        """The services that run."""
        return tuple(self.stack.ports)

    def port(self, service: str, port: int = 0) -> int:
        """The port of this machine that leads to a container's; 0: the only one that it publishes."""
        known = self.stack.ports.get(service)
        if known is None:
            raise LookupError(f"no service {service!r} runs; there are {', '.join(self.services)}")
        if not port and len(known) != 1:
            raise LookupError(f"which port of {service}? It publishes {', '.join(map(str, known)) or 'none'}")
        if port and port not in known:
            raise LookupError(f"{service} doesn't publish {port}; it publishes {', '.join(map(str, known))}")
        return known[port or next(iter(known))][0]

    def address(self, service: str, port: int = 0) -> tuple[str, int]:
        """Host and port, for clients of databases and brokers."""
        return self.stack.host, self.port(service, port)

    def url(self, service: str, path: str = "", port: int = 0, scheme: str = "http") -> str:
        """A URL of a service, such as ``http://127.0.0.1:49153/health``."""
        return f"{scheme}://{self.stack.host}:{self.port(service, port)}{path}"

    def logs(self, service: str, lines: int = 200) -> str:
        """The last lines that a service has written."""
        own = [one for one in containers.of_project(self.project) if one.service == service]
        return "\n".join(line for one in own for line in containers.logs(one.id, lines))


@pytest.fixture(scope="session")
def homeport_stack(request: pytest.FixtureRequest) -> Iterator[HomeportStack]:
    """The stack: the one that ``homeport test`` has started, or one that is started for these tests."""
    if said := os.environ.get(integration.VARIABLE):
        found = integration.decoded(said)
        request.config.stash[_STACK] = found
        yield HomeportStack(found)
        return
    root = _root(request.config.rootpath)
    config = settings.read(root).test
    project = facts.project(config.files, root)
    wanted = probes.plan(project, config.probes)
    trial = stack.plan(
        project,
        probes.ports(wanted),
        Sources(root),
        fast_checks=knows_start_interval(docker.engine().version),
    )
    stack.sweep()
    # Whoever ends pytest with SIGTERM wants it ended, not its stack left behind.
    with (
        on_stop_request(_interrupt),
        stack.started(trial, root, config.start, lambda check: None),
    ):
        if trial.stack is None:
            pytest.fail(_why(trial), pytrace=False)
        request.config.stash[_STACK] = trial.stack
        yield HomeportStack(trial.stack)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _root(start: Path) -> Path:
    """The folder with the Compose file: where pytest began, or above it."""
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in facts.COMPOSE_FILES):
            return folder
    return start


def _why(trial: stack.Trial) -> str:
    bad = [check for check in trial.checks if check.outcome.value == "failed"]
    return "\n".join(line for one in bad for line in (f"{one.name}: {one.detail}", *one.log))


@pytest.fixture(scope=containers_scope)
def docker_services(homeport_stack: HomeportStack) -> Services:
    """pytest-docker's own fixture, over this stack: ``port_for`` and ``wait_until_responsive``."""
    return Services(DockerComposeExecutor("docker compose", [], homeport_stack.project))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add to the report of a test that failed what the services have written meanwhile."""
    report = yield
    found = item.config.stash.get(_STACK, None)
    if found is not None and report.failed and _FIXTURES & {*getattr(item, "fixturenames", ())}:
        for one in containers.of_project(found.project):
            lines = containers.logs(one.id, _LOG_LINES, since=call.start - 1)
            if lines and hasattr(report.longrepr, "addsection"):
                # As a part of the failure itself it stands in JUnit files, too.
                report.longrepr.addsection(f"log of {one.service}", "\n".join(lines), "-")
    return report
