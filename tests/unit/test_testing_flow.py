"""``homeport test`` in this process: what its last lines say, and with which exit code it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from homeport.engine import buildx
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.model.checks import Check, Outcome
from homeport.model.targets import Definition, Target
from homeport.test import facts as reading
from homeport.test import flow, running, stack
from homeport.test.facts import Facts, Subject
from homeport.test.flow import Request
from homeport.test.running import Running
from homeport.test.units import Unit

ENGINE = Engine("28.0", "overlayfs", True, 2, 1, 1, "/", True, "", "default", "x", {})


def facts(tmp_path: Path, **subjects: Subject) -> Facts:
    targets = {name: Target(name, {"context": name}) for name in subjects}
    definition = Definition(MappingProxyType(targets), tuple(subjects))
    return Facts(tmp_path, ENGINE, ("buildx",), Builder("b", "docker"), definition, subjects, {})


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Facts:
    """A target without tests, one with them, and no Compose file."""
    known = facts(tmp_path, api=Subject(), web=Subject(frozenset({"test"})))
    monkeypatch.setattr(reading, "read", lambda root, **about: known)
    monkeypatch.setattr(stack, "sweep", lambda: ())
    passed = Check("unit", "web", Outcome.PASSED)

    def every(self: Running, units: tuple[Unit, ...], jobs: int, tell: Any) -> list[Check]:
        return [passed if unit.how else Check("unit", unit.target, Outcome.NONE) for unit in units]

    monkeypatch.setattr(Running, "all", every)
    return known


def test_the_last_line_says_why_strict_is_a_failure(
    found: Facts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert flow.run(Request(tmp_path, kinds=("unit",), strict=True, json=str(out))) == 1
    assert (
        capsys.readouterr().out.splitlines()[-1] == "error: api: no tests, which is a failure with --strict."
    )
    document = json.loads(out.read_text(encoding="utf-8"))
    assert (document["ok"], len(document["warnings"])) == (False, 1)
    assert flow.run(Request(tmp_path, kinds=("unit",))) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("warning: api: no tests.")


@pytest.mark.parametrize("kind", ["smoke", "integration"])
def test_a_kind_that_was_asked_for_and_is_not_there_is_said(
    kind: str, found: Facts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flow.run(Request(tmp_path, kinds=(kind,))) == 0
    said = capsys.readouterr().out
    assert "there is no Compose file" in said
    assert f"warning: {kind}: no tests." in said
    assert flow.run(Request(tmp_path, kinds=(kind,), strict=True)) == 1
    # Nobody asked for it by its name.
    assert flow.run(Request(tmp_path)) == 0
    assert "Compose file" not in capsys.readouterr().out.partition("--strict.")[2]


def test_nothing_affected_is_no_failure(found: Facts, tmp_path: Path) -> None:
    assert flow.run(Request(tmp_path, kinds=("unit",), affected=(), strict=True)) == 0


def test_what_buildkit_did_not_notice_is_said_and_in_the_document(
    found: Facts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    given: list[str] = []

    def unnoticed(known: Facts, specs: Any) -> tuple[str, ...]:
        given.extend(specs)
        return ("web/x has another content",)

    assert flow.run(Request(tmp_path, kinds=("unit",), json=str(out)), unnoticed) == 0
    assert given == ["web"]
    assert "warning: web/x has another content" in capsys.readouterr().out
    assert "web/x has another content" in json.loads(out.read_text(encoding="utf-8"))["warnings"]


class Stopped:
    """A build that goes on until it is stopped."""

    def __init__(self, *arguments: Any, **about: Any) -> None:
        self.ended = threading.Event()

    def stop(self, grace: float = 0.0) -> None:
        self.ended.set()


def test_unit_tests_that_are_interrupted_have_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(child: Stopped, *about: Any) -> buildx.Outcome:
        assert child.ended.wait(60)
        return buildx.Outcome(1, {}, "ERROR: failed to solve: Canceled: context canceled")

    def interrupted(future: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "Child", Stopped)
    monkeypatch.setattr(running, "result_of", interrupted)
    monkeypatch.setattr(buildx, "build", build)
    told: list[Check] = []
    units = [Unit("api", "stage"), Unit("web", "stage")]
    with pytest.raises(KeyboardInterrupt):
        Running(facts(tmp_path), 60).all(units, 2, told.append)
    assert {one.outcome for one in told} == {Outcome.INTERRUPTED}
    assert not any(one.detail for one in told)
