"""Unit tests as a build: a stage of the target's own, or its tests put on top of its image. Pure.

BuildKit runs them: apart from each other, several at a time, and nothing is left behind. What passed once and
has the same inputs passes from its cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.errors import UsageError, did_you_mean
from homeport.model.config import ChecksConfig, UnitConfig
from homeport.model.targets import TARGET_SCHEME, escape
from homeport.test.facts import Facts, Subject

_NO_EXPORT = ["type=cacheonly"]
_NOT_OF_TESTS = ("tags", "cache-to", "attest", "output")
_ROOT = ("", "0", "root")
_ENVIRONMENT = (
    "ENV PIP_BREAK_SYSTEM_PACKAGES=1 PYTHONDONTWRITEBYTECODE=1 PYTEST_ADDOPTS='-p no:cacheprovider'"
)
"""What is made here is thrown away, and its user may not write to the image's own folder."""


@dataclass(frozen=True)
class Unit:
    """The unit tests of one target: how they run (``stage`` or ``image``; empty: ``why`` they don't), and the
    bake document that runs them."""

    target: str
    how: str
    why: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, hash=False)


def plan(facts: Facts, config: ChecksConfig) -> tuple[Unit, ...]:
    """What runs the unit tests of each target. Raises UsageError for settings of one that isn't there."""
    known = facts.definition.targets if facts.definition else {}
    for name in config.unit:
        if name not in known:
            raise UsageError(
                f"[test.unit.{name}]: there is no target of this name.",
                cause=did_you_mean(name, known),
                hint=f"Targets: {', '.join(known)}.",
            )
    return tuple(
        _unit(name, tested, facts, config, config.unit.get(name, UnitConfig()))
        for name, tested in facts.tested.items()
    )


def _unit(name: str, tested: Subject, facts: Facts, config: ChecksConfig, own: UnitConfig) -> Unit:
    if own.leave_out:
        return Unit(name, "", own.leave_out)
    if config.stage in tested.stages and not own.command:
        return Unit(name, "stage", f"stage '{config.stage}'", _stage(name, facts, config.stage))
    if not tested.folder:
        return Unit(name, "", "")
    linked = "" if tested.image and facts.builder.shares_engine_images else name
    document = _on_top(name, tested, facts, config, own, linked)
    return Unit(name, "image", tested.folder, document)


def _stage(name: str, facts: Facts, stage: str) -> dict[str, Any]:
    spec = {**_spec(name, facts), "target": stage, "output": _NO_EXPORT}
    return _document(name, spec, _linked(name, facts))


def _spec(name: str, facts: Facts) -> dict[str, Any]:
    """A target's own definition, without what becomes of its result."""
    assert facts.definition is not None  # noqa: S101 - units come from its targets
    return {
        key: value for key, value in facts.definition.targets[name].spec.items() if key not in _NOT_OF_TESTS
    }


def _linked(name: str, facts: Facts) -> dict[str, Any]:
    """The definitions of all targets that one builds on, by links."""
    assert facts.definition is not None  # noqa: S101
    found: dict[str, Any] = {}
    left = list(facts.definition.targets[name].linked)
    while left:
        one = left.pop()
        if one not in found and one in facts.definition.targets:
            found[one] = {**_spec(one, facts), "output": _NO_EXPORT}
            left += facts.definition.targets[one].linked
    return found


def _on_top(
    name: str, tested: Subject, facts: Facts, config: ChecksConfig, own: UnitConfig, linked: str
) -> dict[str, Any]:
    """The tests on top of the image: the one that the engine has, or the target that ``linked`` names."""
    key = f"{name}-tests"
    context = facts.root / tested.folder
    contexts = {"built": f"{TARGET_SCHEME}{linked}" if linked else f"docker-image://{tested.image}"}
    lines = ["FROM built", "USER root", _ENVIRONMENT]
    cache = "--mount=type=cache,target=/root/.cache,sharing=locked"
    if install := own.install or config.install:
        lines.append(f"RUN {cache} {install}")
    if tested.needs and not own.install:
        contexts["service"] = (context.parent).as_posix()
        mount = f"--mount=type=bind,from=service,source={tested.needs},target=/tmp/needs.txt"
        lines.append(f"RUN {cache} {mount} python3 -m pip install -r /tmp/needs.txt")
    lines.append("COPY . ./tests/")
    if tested.user not in _ROOT:
        lines.append(f"USER {tested.user}")
    lines.append(f"RUN {own.command or config.command}")
    spec = {
        "context": context.as_posix(),
        "contexts": contexts,
        "dockerfile-inline": escape("\n".join(lines) + "\n"),
        "output": _NO_EXPORT,
    }
    more = (
        {linked: {**_spec(linked, facts), "output": _NO_EXPORT}, **_linked(linked, facts)} if linked else {}
    )
    return _document(key, spec, more)


def _document(name: str, spec: Mapping[str, Any], linked: Mapping[str, Any]) -> dict[str, Any]:
    return {"group": {"default": {"targets": [name]}}, "target": {name: dict(spec), **linked}}
