"""What is well at first has to be there at the end."""

from __future__ import annotations

import pytest

from homeport.engine import containers
from homeport.engine.containers import Container
from homeport.model.checks import Check, Outcome
from homeport.model.isolation import Isolated
from homeport.test.stack import Trial, look_again


def trial() -> Trial:
    services = {"api": {"scale": 2}, "job": {}}
    checks = [Check("smoke", "api", Outcome.PASSED), Check("smoke", "job", Outcome.PASSED)]
    return Trial("1", Isolated({"name": "x", "services": services}, {}), frozenset({"job"}), checks)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["running", "running"], ""),
        (["running"], "its container is gone"),
        ([], "its container is gone"),
        (["running", "exited"], "it ended with exit code 0"),
    ],
)
def test_it_is_looked_at_again(states: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tuple(Container(str(number), "n", "i", state, {}) for number, state in enumerate(states))
    monkeypatch.setattr(containers, "of_project", lambda *_: own)
    monkeypatch.setattr("homeport.engine.gate.still.__kwdefaults__", {"look": lambda ids: own})
    monkeypatch.setattr(containers, "logs", lambda *_: ())
    one = trial()
    assert look_again(one, lambda _: None) == (not said)
    assert said in one.checks[0].detail
    assert one.checks[0].outcome is (Outcome.FAILED if said else Outcome.PASSED)
    assert one.checks[1].outcome is Outcome.PASSED
