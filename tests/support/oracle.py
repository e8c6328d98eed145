"""The oracle: lets one mutation after another happen, and asks homeport and a real BuildKit about it.

BuildKit's answer is the digest of the image's manifest. With a warm cache and without attestations it stays
the same for as long as nothing that counts has changed; each batch has a control, in which nothing happens,
to prove just that. Bake gets the definition as it is, without homeport; its results are kept nowhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine_fixtures import DockerSession, docker, run_program
from leftovers import LABEL
from mutations import (
    ALWAYS,
    BASES,
    CHANGED,
    FILES,
    NOT_COMPARED,
    REBUILT,
    SAME,
    Case,
    Place,
    encoded,
    nothing,
    same,
)

AT_ONCE = 2
"""Bakes at the same time: half of a build is waiting for the disk."""

BATCH = 24
"""Targets in one bake: with some hundreds the docker driver's builds fail with "no such job"."""

VARIABLES = {"ORACLE": {"default": "none"}}
"""For definitions that ask for a variable of the environment."""

NEW_FLAGS = ("--parents", "--exclude=x")
"""What the Dockerfile language of some engines doesn't have yet."""

TRIES = 3
KEPT_NOWHERE = "store=false,unpack=false"
ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_METADATA_PROVENANCE": "disabled"}
ALLOWED = ("network.host",)


@dataclass(frozen=True)
class Observed:
    """What both said about one case; an error is BuildKit's, in its words."""

    buildkit: str
    homeport: str
    changed: tuple[str, ...] = ()
    """The inputs whose digests differ, or why it is always built."""
    error: str = ""


def problem(case: Case, seen: Observed) -> str:
    """What is wrong with a verdict; empty if it is as the table has it."""
    told = f"{', '.join(seen.changed) or 'no input differs'}"
    if seen.error:
        return f"BuildKit can't build it: {seen.error}"
    if seen.buildkit == REBUILT and seen.homeport == SAME:
        return "FALSE SKIP: BuildKit makes another image, and homeport's fingerprint stays the same"
    if seen.buildkit not in {case.buildkit, NOT_COMPARED}:
        return f"BuildKit's image was expected to be {case.buildkit}, and is {seen.buildkit} ({told})"
    expected = case.buildkit if seen.buildkit == NOT_COMPARED else seen.buildkit
    false_build = expected == SAME and seen.homeport != SAME
    if false_build and not case.false_build:
        return f"a false build that isn't listed: {seen.homeport} ({told})"
    if case.false_build and not false_build:
        return "listed as a false build, and isn't one any more"
    if seen.homeport != case.homeport:
        return f"homeport was expected to say {case.homeport!r}, and says {seen.homeport!r} ({told})"
    return ""


def why_not(case: Case, folder: Path) -> str:
    """Why a mutation can't be made on this machine; empty if it can."""
    if case.needs == "root" and os.geteuid() != 0:
        return "needs root"
    if case.needs == "attributes":
        try:
            os.setxattr(folder, "user.homeport", b"1")
        except (OSError, AttributeError):
            return "needs a file system with extended attributes"
    return ""


def observe_all(
    cases: Sequence[Case], folder: Path, session: DockerSession, tiny: str
) -> dict[str, Observed]:
    """Ask about all cases, those with the same environment together."""
    cases = [case for case in cases if not why_not(case, folder)]
    _make_bases(folder, session, tiny)
    unknown = _unknown_flags(folder)
    # Of a language that this BuildKit doesn't have, only homeport is asked.
    cases = [replace(case, buildkit=NOT_COMPARED) if _uses(case, unknown) else case for case in cases]
    worlds: dict[str, list[Case]] = {}
    for case in cases:
        worlds.setdefault(json.dumps(case.environment, sort_keys=True), []).append(case)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(
            lambda numbered: _observe(numbered[1], folder / f"world{numbered[0]}", session),
            enumerate(worlds.values()),
        )
        return {name: seen for each in found for name, seen in each.items()}


def _observe(cases: Sequence[Case], folder: Path, session: DockerSession) -> dict[str, Observed]:
    """Ask about cases of the same environment; again, in new folders, what isn't as the table has it.

    The engine may lose any part of its cache, and one case alone is built again then, whatever its control
    says. What is really wrong is wrong each time.
    """
    seen: dict[str, Observed] = {}
    for attempt in range(TRIES):
        left = [case for case in cases if case.name not in seen or problem(case, seen[case.name])]
        if left:
            found = _Round(left, folder.with_name(f"{folder.name}-{attempt}"), session).run()
            seen |= {name: each for name, each in found.items() if each is not None}
    return seen


def _make_bases(folder: Path, session: DockerSession, tiny: str) -> None:
    root = folder / "bases"
    root.mkdir()
    targets = {
        f"base{name}": {
            "context": ".",
            "dockerfile-inline": text.replace("TINY", tiny).replace("NONCE", session.id),
            "tags": [_base(session, name)],
            "labels": {LABEL: session.id},
        }
        for name, text in BASES.items()
    }
    _, error = _bake(root, targets, list(targets), {})
    assert not error, error


def _uses(case: Case, flags: Iterable[str]) -> bool:
    return any(flag in (case.dockerfile or "") for flag in flags)


def _unknown_flags(folder: Path) -> list[str]:
    found = []
    output = [f"type=image,{KEPT_NOWHERE}"]
    for flag in NEW_FLAGS:
        text = f"FROM scratch AS a\nWORKDIR /a\nFROM scratch\nCOPY {flag} --from=a . /\n"
        spec = {"context": ".", "dockerfile-inline": text, "output": output}
        _, error = _bake(folder / "bases", {"flag": spec}, ["flag"], {})
        if "unknown flag" in error:
            found.append(flag.partition("=")[0])
    return found


def _base(session: DockerSession, name: str) -> str:
    return f"{session.name('oracle-base')}:{name or 'plain'}"


class _Round:
    """All cases of one environment in one tree, which homeport sees as a whole, and bake in batches."""

    def __init__(self, cases: Sequence[Case], root: Path, session: DockerSession) -> None:
        self._root = root
        self._session = session
        self._before, self._after = cases[0].environment
        self._platform = docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
        count = -(-len(cases) // BATCH)
        self._batches = [
            [same(f"control-{number}", nothing, environment=cases[0].environment), *cases[number::count]]
            for number in range(count)
        ]
        self._places: dict[str, Place] = {}

    def run(self) -> dict[str, Observed | None]:
        """By case what was seen; None where the control of its batch has changed."""
        self._root.mkdir()
        for case in self._cases():
            self._places[case.name] = self._settle(case)
        first = self._ask_homeport(self._before)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            digests = list(pool.map(self._build_twice, self._batches))
        second = self._ask_homeport(self._after)
        found: dict[str, Observed | None] = {}
        for batch, seen in zip(self._batches, digests, strict=True):
            control = batch[0].name
            # Another environment may well change the control, too.
            sound = seen[control][0] == seen[control][1] or self._before != self._after
            for case in batch[1:]:
                verdict = _buildkit(*seen[case.name]) if case.name in seen else (NOT_COMPARED, "")
                said = _homeport(first[case.name], second[case.name])
                found[case.name] = Observed(verdict[0], *said, verdict[1]) if sound else None
        return found

    def _cases(self) -> Iterable[Case]:
        return (case for batch in self._batches for case in batch)

    def _settle(self, case: Case) -> Place:
        """Make a case's folder and targets as they are before the mutation."""
        folder = self._root / case.name
        folder.mkdir()
        words = {
            "NONCE": f"{self._session.id}-{self._root.name}-{case.name}",
            "MINE-": self._session.name(f"oracle-{self._root.name}-{case.name}-"),
            "CASE": case.name,
            "HERE": os.fspath(folder),
            "THIS-PLATFORM": self._platform,
        }
        words["BASES"] = self._session.name("oracle-base")
        words |= {f"BASE-{name}" if name else "BASE": _base(self._session, name) for name in BASES}
        place = Place(case.name, folder, {}, words)
        place.targets = {
            name: place.fill({"context": case.name, **spec})
            for name, spec in {"": case.spec, **case.others}.items()
        }
        texts = {**FILES, **case.files}
        if case.dockerfile is not None:
            texts["Dockerfile"] = case.dockerfile
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(encoded(place.fill(text)))
        for action in case.setup:
            action(place)
        return place

    def _targets(self, cases: Iterable[Case]) -> dict[str, dict[str, Any]]:
        return {
            f"{case.name}-{name}" if name else case.name: spec
            for case in cases
            for name, spec in self._places[case.name].targets.items()
        }

    def _ask_homeport(self, environment: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        """By target what `--dry-run` decides. The record of the person who runs the tests stays out of it."""
        _write(self._root / "docker-bake.json", self._targets(self._cases()))
        allowed = ", ".join(f'"{entry}"' for entry in ALLOWED)
        (self._root / "homeport.toml").write_text(f"[build]\nallow = [{allowed}]\n", encoding="utf-8")
        done = run_program(
            [sys.executable, "-m", "homeport", "build", "--dry-run", "--json", "-"],
            self._root,
            {"XDG_CACHE_HOME": os.fspath(self._root / "cache"), **self._filled(environment)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {decision["name"]: decision for decision in json.loads(done.stdout)["decisions"]}

    def _filled(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {key: value.replace("ROOT", os.fspath(self._root)) for key, value in environment.items()}

    def _build_twice(self, batch: Sequence[Case]) -> dict[str, tuple[str, str]]:
        """By case the digests before and after its mutation, or BuildKit's error in their place."""
        compared = [case for case in batch if case.buildkit != NOT_COMPARED]
        before = self._build(compared, self._before)
        for case in batch:
            case.change(self._places[case.name])
        after = self._build(compared, self._after)
        return {case.name: (before[case.name], after[case.name]) for case in compared}

    def _build(self, cases: Sequence[Case], environment: Mapping[str, str]) -> dict[str, str]:
        kept = [f"{case.name}-{name}" for case in cases for name in case.first]
        targets = self._targets(cases)
        for name, spec in targets.items():
            if name in kept:
                targets[name] = {**spec, "labels": {LABEL: self._session.id, **spec.get("labels", {})}}
            else:
                outputs = spec.get("output") or ["type=image"]
                targets[name] = {**spec, "output": [f"{output},{KEPT_NOWHERE}" for output in outputs]}
        variables = self._filled(environment)
        if kept:
            _, error = _bake(self._root, targets, kept, variables)
            assert not error, error
        names = [case.name for case in cases]
        return self._digests(targets, names, variables)

    def _digests(
        self, targets: Mapping[str, dict[str, Any]], names: Sequence[str], variables: Mapping[str, str]
    ) -> dict[str, str]:
        digests, error = _bake(self._root, targets, names, variables)
        if error and len(names) == 1:
            # Engine 28 may lose a layer while somebody else removes images.
            digests, error = _bake(self._root, targets, names, variables)
        if error and len(names) > 1:
            # One bad case must not hide what the others have to say.
            middle = len(names) // 2
            return {
                **self._digests(targets, names[:middle], variables),
                **self._digests(targets, names[middle:], variables),
            }
        return digests or dict.fromkeys(names, f"error: {error}")


def _buildkit(before: str, after: str) -> tuple[str, str]:
    error = next((each for each in (before, after) if each.startswith("error")), "")
    return (SAME if before == after else REBUILT), error


def _homeport(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    if after["fingerprint"] is None:
        return ALWAYS, tuple(after["always_built"])
    old, new = before["inputs"], after["inputs"]
    changed = tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
    return (SAME if before["fingerprint"] == after["fingerprint"] else CHANGED), changed


def _write(path: Path, targets: Mapping[str, Mapping[str, Any]]) -> None:
    document = {"variable": VARIABLES, "group": {"default": {"targets": list(targets)}}, "target": targets}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _bake(
    root: Path, targets: Mapping[str, Mapping[str, Any]], names: Sequence[str], environment: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Bake some targets; returns their digests, or what bake says of its failure."""
    definition, metadata = root / f"{names[0]}.bake.json", root / f"{names[0]}.metadata.json"
    _write(definition, targets)
    metadata.unlink(missing_ok=True)
    allowed = [f"--allow={entry}" for entry in ALLOWED]
    done = run_program(
        ["docker", "buildx", "bake", "--file", definition.name, "--metadata-file", metadata.name,
         "--progress", "plain", *allowed, *names],
        root,
        {**ENVIRONMENT, **environment},
    )  # fmt: skip
    if done.returncode:
        return {}, done.stderr[-1500:]
    found = json.loads(metadata.read_text(encoding="utf-8"))
    return {name: found[name]["containerimage.digest"] for name in names}, ""
