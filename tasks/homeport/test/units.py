"""Unit tests as a build: a stage of the target's own, or its tests put on top of its image. Pure.

BuildKit runs them: apart from each other, several at a time, and nothing is left behind. What passed once and
has the same inputs passes from its cache.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.errors import UsageError, did_you_mean
from homeport.model.config import ChecksConfig, UnitConfig
from homeport.model.targets import TARGET_SCHEME, bake_name, escape
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


def plan(
    facts: Facts,
    config: ChecksConfig,
    *,
    affected: Collection[str] | None = None,
    changed: Collection[str] = (),
    unbuilt: Collection[str] = (),
    again: bool = False,
) -> tuple[Unit, ...]:
    """What runs the unit tests of each target.

    ``affected`` are the targets whose image a change can be about (None: all); those whose tests are among
    the ``changed`` files (absolute paths) come to them. The build of ``unbuilt`` ones has failed. ``again``:
    without BuildKit's cache of the tests.
    Raises UsageError for settings of a target that isn't there.
    """
    known = facts.definition.targets if facts.definition else {}
    settings = {bake_name(name): one for name, one in config.unit.items()}
    for name in config.unit:
        if bake_name(name) not in known:
            raise UsageError(
                f"[test.unit.{name}]: there is no target of this name.",
                cause=did_you_mean(name, known),
                hint=f"Targets: {', '.join(known)}.",
            )
    return tuple(
        Unit(name, "", "its build failed")
        if name in unbuilt
        else _unit(name, tested, facts, config, settings.get(name, UnitConfig()), again=again)
        for name, tested in facts.tested.items()
        if affected is None or name in affected or _has_changed(tested, facts.root, changed)
    )


def _has_changed(tested: Subject, root: Path, changed: Collection[str]) -> bool:
    """Whether a target's tests, or what they need, are among files."""
    if not tested.folder:
        return False
    folder = Path(os.path.realpath(root / tested.folder))
    # What names their needs may name others beside it: all of that is there when they are installed.
    read = folder.parent if tested.needs else folder
    return any(path.startswith(str(read / "x")[:-1]) for path in changed)


def _unit(
    name: str, tested: Subject, facts: Facts, config: ChecksConfig, own: UnitConfig, *, again: bool
) -> Unit:
    if own.leave_out:
        return Unit(name, "", own.leave_out)
    if config.stage.lower() in tested.stages and not own.command:
        spec = {**_spec(name, facts), "target": config.stage, "output": _NO_EXPORT}
        if again:
            spec["no-cache-filter"] = [config.stage]
        return Unit(name, "stage", f"stage '{config.stage}'", _document(name, spec, _linked(name, facts)))
    if not tested.folder:
        return Unit(name, "", "")
    # Tests of the stack may lie among them, and want the stack.
    paths = config.integration or facts.integration
    inner = [path for path in paths if path.startswith(f"{tested.folder}/")]
    linked = "" if tested.image and facts.builder.shares_engine_images else name
    spec = _on_top(tested, facts.root, config, own, linked, inner)
    if again:
        spec["no-cache"] = True
    more: dict[str, Any] = {}
    if linked:
        more = {linked: {**_spec(linked, facts), "output": _NO_EXPORT}, **_linked(linked, facts)}
    return Unit(name, "image", tested.folder, _document(f"{name}-tests", spec, more))


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
    tested: Subject, root: Path, config: ChecksConfig, own: UnitConfig, linked: str, left_out: Sequence[str]
) -> dict[str, Any]:
    """The tests on top of the image: the one that the engine has, or the target that ``linked`` names.

    ``left_out`` are paths among them that aren't unit tests.
    """
    context = root / tested.folder
    contexts = {"built": f"{TARGET_SCHEME}{linked}" if linked else f"docker-image://{tested.image}"}
    lines = ["FROM built", "USER root", _ENVIRONMENT]
    cache = "--mount=type=cache,target=/root/.cache,sharing=locked"
    if install := own.install or config.install:
        lines.append(f"RUN {cache} {install}")
    if tested.needs and not own.install:
        # With its folder: such a file often names others.
        contexts["service"] = context.parent.as_posix()
        mount = "--mount=type=bind,from=service,target=/tmp/service"
        lines.append(f"RUN {cache} {mount} python3 -m pip install -r /tmp/service/{tested.needs}")
    lines.append("COPY . ./tests/")
    for path in left_out:
        lines.append(f"RUN rm -rf {shlex.quote(f'tests/{path[len(tested.folder) + 1 :]}')}")
    if tested.user not in _ROOT:
        lines.append(f"USER {tested.user}")
    lines.append(f"RUN {own.command or config.command}")
    return {
        "context": context.as_posix(),
        "contexts": contexts,
        "dockerfile-inline": escape("\n".join(lines) + "\n"),
        "output": _NO_EXPORT,
    }


def _document(name: str, spec: Mapping[str, Any], linked: Mapping[str, Any]) -> dict[str, Any]:
    return {"group": {"default": {"targets": [name]}}, "target": {name: dict(spec), **linked}}
