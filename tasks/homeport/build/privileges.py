"""What a definition asks for that bake grants only when told to: network.host, paths outside the repository.

buildx skips its own question when its progress is structured (commands/bake.go, RawJSONMode), as homeport
reads it; so the same rules are checked here: https://docs.docker.com/reference/cli/docker/buildx/bake/#allow
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from homeport.build.facts import is_remote
from homeport.errors import UsageError
from homeport.model.targets import Target, attributes

PLAIN = ("network.host", "security.insecure", "device", "ssh")


def require(targets: Iterable[Target], allow: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
    """Raise UsageError if a target asks for what ``allow`` (bake's ``--allow`` values) doesn't grant."""
    check_files = env.get("BUILDX_BAKE_ENTITLEMENTS_FS", "1").lower() not in {"0", "f", "false"}
    missing: dict[str, str] = {}
    for target in targets:
        for wanted in asked(target, cwd):
            kind, _, path = wanted.partition("=")
            if not granted(kind, path, allow, cwd) and (check_files or not kind.startswith(("fs", "ssh"))):
                missing.setdefault(wanted, target.name)
    if missing:
        lines = [f"  {wanted}  (target {name})" for wanted, name in missing.items()]
        raise UsageError(
            "The build asks for privileges that nobody granted:\n" + "\n".join(lines),
            cause="Bake lets a definition use these only if it is told to.",
            hint="If you trust it: [build] allow = ["
            # TOML's texts are JSON's: a path of Windows has backslashes.
            + ", ".join(json.dumps(wanted, ensure_ascii=False) for wanted in missing)
            + "] in homeport.toml.",
        )


def asked(target: Target, cwd: Path) -> Iterator[str]:
    """The privileges that a target needs, as values of ``--allow``; paths inside ``cwd`` need none."""
    spec = target.spec
    if spec.get("network") == "host":
        yield "network.host"
    for entitlement in spec.get("entitlements") or ():
        name = str(entitlement).partition("=")[0]
        if name in PLAIN:
            yield str(entitlement)
    for path in _read(target):
        if outside(path, cwd):
            yield f"fs.read={path}"
    for path in _written(target):
        if outside(path, cwd):
            yield f"fs.write={path}"
    if spec.get("ssh"):
        yield "ssh"


def granted(kind: str, path: str, allow: Sequence[str], cwd: Path) -> bool:
    """Whether one of the ``--allow`` values grants this."""
    for entry in allow:
        name, _, value = entry.partition("=")
        if not path and name == kind:
            return True
        if path and name in {"fs", kind}:
            given = _resolved(value, cwd)
            wanted = _resolved(path, cwd)
            if value == "*" or given == wanted or given in wanted.parents:
                return True
    return False


def outside(path: str, cwd: Path) -> bool:
    """Whether a local path lies outside the working directory, links followed."""
    root, real = cwd.resolve(), _resolved(path, cwd)
    return real != root and root not in real.parents


def _resolved(path: str, cwd: Path) -> Path:
    return (cwd / os.path.expanduser(path.removeprefix("cwd://"))).resolve()  # noqa: PTH111 - may be relative


def _read(target: Target) -> Iterator[str]:
    if not is_remote(target.context):
        yield target.context
        if target.inline_dockerfile is None:
            yield (Path(target.context.removeprefix("cwd://")) / target.dockerfile).as_posix()
    for value in target.contexts.values():
        if not is_remote(value) and not value.startswith("target:"):
            yield value
    for secret in target.spec.get("secret") or ():
        entry = attributes(secret)
        if source := entry.get("src") or entry.get("source"):
            yield source
    for cache in target.spec.get("cache-from") or ():
        entry = attributes(cache)
        if entry.get("type") == "local" and entry.get("src"):
            yield entry["src"]


def _written(target: Target) -> Iterator[str]:
    for entry in target.outputs:
        if entry.get("dest"):
            yield entry["dest"]
    for cache in target.spec.get("cache-to") or ():
        entry = attributes(cache)
        if entry.get("type") == "local" and entry.get("dest"):
            yield entry["dest"]
