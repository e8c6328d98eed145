"""Fixtures for tests of a whole stack, on top of pytest-docker; ``homeport test`` runs them.

``homeport_stack`` is the stack: ``homeport_stack.url("api")``. Tests that are written for pytest-docker go on
as they are: ``docker_services`` and ``docker_ip`` are about the same stack. Started by plain ``pytest`` with
``--homeport``, the stack is started here, beside whatever runs, and removed whatever happens: pytest-docker
leaves what it had started when the start fails.

Loaded with every pytest beside which homeport is installed, so it does nothing unless it is asked.
"""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--homeport``: give tests the stack of this repository."""
    group = parser.getgroup("homeport")
    group.addoption("--homeport", action="store_true", help="start this repository's Compose stack for tests")


def pytest_configure(config: pytest.Config) -> None:
    """The fixtures themselves, where a stack is wanted."""
    if config.getoption("--homeport") or os.environ.get("HOMEPORT_TEST_STACK"):
        from homeport import pytest_stack

        config.pluginmanager.register(pytest_stack, "homeport_stack")
