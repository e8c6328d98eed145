"""``[deploy] backend``: which module the commands call."""

from __future__ import annotations

import pytest

from homeport.deploy import backends, on_compose, swarm
from homeport.errors import UsageError
from homeport.model.config import DeployConfig


def test_compose_is_the_default() -> None:
    assert backends.of(DeployConfig().backend) is on_compose
    assert backends.of("swarm") is swarm


def test_an_unknown_one_is_a_wrong_configuration() -> None:
    with pytest.raises(UsageError, match="swam") as raised:
        backends.of("swam")
    assert raised.value.exit_code == 2
    assert raised.value.cause == "did you mean 'swarm'?"
    assert "compose, swarm" in raised.value.hint
