"""homeport.toml (or ``[tool.homeport]`` in pyproject.toml) as frozen data; none is needed.

The documented example in docs/homeport.example.toml is read by a test against this module, so that every
key is documented and every documented key exists.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from homeport.errors import UsageError, did_you_mean
from homeport.model.reference import is_registry_prefix
from homeport.model.tiers import DEFAULT_TIERS, Tier


@dataclass(frozen=True)
class BuildConfig:
    """``[build]``: the defaults of ``homeport build``."""

    files: tuple[str, ...] = ()
    """Bake or Compose files, as for ``docker buildx bake -f``; none: bake's own look-up."""
    targets: tuple[str, ...] = ()
    """Targets or groups to build when the command line names none; none: the group ``default``."""
    registry: str = ""
    """Where caches go and pushed images get their name: ``ghcr.io/me`` or ``127.0.0.1:5000``."""
    jobs: int = 0
    """Targets in flight with ``--parallel``; 0 decides by cores and free memory."""
    retries: int = 2
    """How often a target is tried again after a transient failure."""
    main_branch: str = "main"
    """The branch whose caches every other branch reads too."""
    builder: str = ""
    """The buildx builder; none: the current one."""
    allow: tuple[str, ...] = ()
    """Entitlements for bake, such as ``fs.read=../shared``."""


@dataclass(frozen=True)
class DeployConfig:
    """``[deploy]``: the defaults of ``homeport deploy`` and ``homeport rollback``."""

    backend: str = "compose"
    """What it is deployed with: ``compose``, on one engine, or ``swarm``."""
    files: tuple[str, ...] = ()
    """Compose files; none: Compose's own look-up."""
    gate: int = 120
    """Seconds that a new replica has to get healthy."""
    run: int = 600
    """Seconds that one-shot services and commands before and after have."""
    keep: int = 10
    """Releases that are kept ready to run again; the running, the previous and pinned ones always are."""
    front_image: str = "haproxy:3.0"
    """The image of the fronts; the environment variable HAPROXY_IMAGE counts before it."""
    before: tuple[str, ...] = ()
    """Commands for this machine before anything is touched; a failure ends the deploy."""
    after: tuple[str, ...] = ()
    """Commands for this machine when everything new has its traffic; a failure undoes the deploy."""


@dataclass(frozen=True)
class ResourcesConfig:
    """``[resources]``: the policy of ``homeport resources``."""

    files: tuple[str, ...] = ()
    """Compose files; none: Compose's own look-up."""
    host: str = ""
    """What the stack runs on, such as ``4cpu,16g``; none: the engine is asked, if one answers."""
    services: Mapping[str, str] = field(default_factory=dict)
    """The tier of services by name, before any label or rule."""
    tiers: Mapping[str, Tier] = field(default_factory=lambda: dict(DEFAULT_TIERS))
    """``[resources.tiers.NAME]``: tiers over the default ones, and new ones."""


@dataclass(frozen=True)
class Suppression:
    """``[audit.suppress.NAME]``: findings that may stay as they are."""

    rule: str = ""
    """The rule's id."""
    paths: tuple[str, ...] = ()
    """Files, with wildcards; none: all."""
    reason: str = ""
    """Why; there has to be one."""
    until: str = ""
    """The last day that it counts, such as 2027-03-31; none: for good."""


@dataclass(frozen=True)
class AuditConfig:
    """``[audit]``: what ``homeport audit`` looks for."""

    also: tuple[str, ...] = ()
    """Rules that are off unless they are named here: ``base-unpinned``."""
    build_cache: str = ""
    """The cache of a service's builds: ``type=registry,ref=registry.example/team/{service}:cache``, say."""
    suppress: Mapping[str, Suppression] = field(default_factory=dict)
    """Findings that may stay, each under a name of its own."""


TRIVY_IMAGE = (
    "docker.io/aquasec/trivy:0.69.3@sha256:bcc376de8d77cfe086a917230e818dc9f8528e3c852f7b1aff648949b6258d1c"
)


@dataclass(frozen=True)
class ScanIgnore:
    """``[scan.ignore.NAME]``: findings of a scan that don't count."""

    id: str = ""
    """The finding's id: ``CVE-2026-1234``, ``image-secret``, ``privileged``."""
    packages: tuple[str, ...] = ()
    """Only in these packages, with wildcards; none: all. Of a secret it is the name."""
    targets: tuple[str, ...] = ()
    """Only in the images of these targets or services, with wildcards; none: all."""
    reason: str = ""
    """Why; there has to be one."""
    until: str = ""
    """The last day that it counts, such as 2027-03-31; none: for good."""


@dataclass(frozen=True)
class ScanConfig:
    """``[scan]``: the defaults of ``homeport scan``."""

    severity: str = "high"
    """From which severity on findings fail: ``critical``, ``high``, ``medium``, ``low`` or ``unknown``."""
    scanner: str = "trivy"
    """``trivy`` or ``grype``."""
    trivy_image: str = TRIVY_IMAGE
    """Trivy's official image, by digest, which runs where there is no trivy on PATH."""
    baseline: str = ""
    """A file of ``--write-baseline``: what is in it doesn't fail."""
    fixable_only: bool = False
    """Only what has a fix counts."""
    jobs: int = 3
    """Images that are scanned at the same time."""
    timeout: int = 600
    """Seconds that one image, and the download of the database, may take."""
    ignore: Mapping[str, ScanIgnore] = field(default_factory=dict)
    """Findings that don't count, each under a name of its own."""


@dataclass(frozen=True)
class UnitConfig:
    """``[test.unit.NAME]``: how a target's own tests run, if not by a stage of its Dockerfile."""

    folder: str = ""
    """The folder with the tests, from the root; none: ``tests`` or ``test`` beside its Dockerfile."""
    install: str = ""
    """What is run in the image, as root, before them; none: what ``[test]`` says."""
    command: str = ""
    """What runs them, in the image's own working directory; none: what ``[test]`` says."""
    leave_out: str = ""
    """Why they aren't run."""


@dataclass(frozen=True)
class ProbeConfig:
    """``[test.probes.NAME]``: something that has to answer when the stack is up."""

    service: str = ""
    """The service; none: it is called like the probe."""
    port: int = 0
    """The container's port; none: the only one that is published."""
    http: str = ""
    """A path to be asked for by HTTP; none: that the port takes connections is enough."""
    status: int = 200
    """The status that HTTP has to answer with."""
    contains: str = ""
    """A text that has to be in the answer."""


@dataclass(frozen=True)
class ChecksConfig:
    """``[test]``: what ``homeport test`` runs."""

    files: tuple[str, ...] = ()
    """Compose files; none: Compose's own look-up."""
    stage: str = "test"
    """The stage of a Dockerfile that runs a target's tests."""
    install: str = "python3 -m pip install pytest"
    """For targets without such a stage: what is run in their image, as root, before their tests."""
    command: str = "python3 -m pytest -q tests"
    """What runs these tests; they lie in ``tests`` in the image's own working directory."""
    limit: int = 600
    """Seconds that the unit tests of a target have, and the integration tests."""
    start: int = 180
    """Seconds that the stack has to be up and well."""
    integration: tuple[str, ...] = ()
    """Files and folders with pytest tests of the whole stack; none: ``tests/integration``, if it is there."""
    unit: Mapping[str, UnitConfig] = field(default_factory=dict)
    """By target what is different there."""
    probes: Mapping[str, ProbeConfig] = field(default_factory=dict)
    """What has to answer; none: that each published port takes connections."""


@dataclass(frozen=True)
class CiConfig:
    """``[ci]``: what ``homeport ci.generate`` writes."""

    provider: str = "github"
    """Whose workflows: ``github`` or ``gitlab``."""
    name: str = ""
    """What the names of the workflows begin with; needed where a repository has several stacks."""
    targets: tuple[str, ...] = ()
    """Targets or groups that CI builds; none: what ``homeport build`` builds."""
    shards: int = 4
    """Machines that build at the same time, once the bases are built."""
    times: str = ""
    """A file of ``homeport build --json``: shards are balanced by the times in it."""
    python: str = "3.12"
    """The Python that runs homeport."""
    homeport: str = "git+https://github.com/homeport-dev/homeport"
    """What pip installs."""
    runner: tuple[str, ...] = ()
    """The labels (at GitLab: tags) of the machines; none: ``ubuntu-24.04`` at GitHub, any at GitLab."""
    deploy_runner: tuple[str, ...] = ()
    """The labels of the machine that deploys; none: as the others."""
    environments: tuple[str, ...] = ("production",)
    """Where can be deployed to; the first one is the default."""
    registry_user: str = ""
    """The variable with its user; none: ``REGISTRY_USER``, who started the run for ghcr.io, and nobody's for
    registries that take a token of the run's identity instead."""
    registry_password: str = ""
    """The secret with its password; none: ``REGISTRY_PASSWORD``, the run's token for ghcr.io, or nothing."""
    code_scanning: bool = True
    """Whether findings of scans go to GitHub's code scanning, which private repositories have to pay for."""
    minutes: int = 60
    """What a job may take."""


EXPECTED = {
    "build": "50-70",
    "dependencies": "60-80",
    "context": "30-50",
    "parallel": "30-50",
    "deploy": "30-50",
}
"""What the notes promised from which this project began: by how many percent less."""


@dataclass(frozen=True)
class BenchConfig:
    """``[bench]``: what ``homeport bench`` expects, and how it measures."""

    expect: Mapping[str, str] = field(default_factory=lambda: dict(EXPECTED))
    """By promise by how many percent less it shall be: ``"50-70"``, or ``"50"`` for at least that."""
    rounds: int = 3
    """How often each scenario is measured."""
    noise: float = 10.0
    """Percent by which medians have to differ, at least, for something to be called slower or faster."""
    rate: float = 20.0
    """Requests a second to each published port while something is deployed."""
    settle: int = 5
    """Seconds to wait, at most, for the machine to get idle before each run."""
    limit: int = 3600
    """Seconds that one run may take."""
    registry_image: str = "registry:2"
    """The registry of the scenario ``fresh``; the environment variable REGISTRY_IMAGE counts before it."""


@dataclass(frozen=True)
class Config:
    """Everything configured."""

    build: BuildConfig = field(default_factory=BuildConfig)
    deploy: DeployConfig = field(default_factory=DeployConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    test: ChecksConfig = field(default_factory=ChecksConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    ci: CiConfig = field(default_factory=CiConfig)
    bench: BenchConfig = field(default_factory=BenchConfig)


def parse_config(document: Mapping[str, Any], source: str) -> Config:
    """The configuration in a TOML document read from ``source``.

    Raises UsageError for an unknown key, naming the nearest known one, and for a value of a wrong type.
    """
    return typing.cast("Config", _parse(Config, document, source, ""))


def _parse(kind: type[Any], document: Mapping[str, Any], source: str, prefix: str) -> Any:
    fields = _settings_of(kind)
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in fields:
            raise UsageError(
                f"{source}: there is no setting '{prefix}{key}'.",
                cause=did_you_mean(key, fields),
                hint=f"Settings {'of [' + prefix.rstrip('.') + ']' if prefix else 'there'}: "
                f"{', '.join(sorted(fields))}.",
            )
        values[fields[key].name] = _value(hints[fields[key].name], value, source, f"{prefix}{key}")
    return kind(**values)


def _settings_of(kind: Any) -> dict[str, dataclasses.Field[Any]]:
    """What can be set in a table, by the key that stands in TOML."""
    return {item.name.replace("_", "-"): item for item in dataclasses.fields(kind)}


def _value(hint: Any, value: Any, source: str, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return _parse(typing.cast("type[Any]", hint), value, source, f"{key}.")
        raise UsageError(f"{source}: '{key}' must be a table, [{key}].")
    if typing.get_origin(hint) is Mapping:
        kind = typing.get_args(hint)[1]
        if isinstance(value, Mapping):
            stray = [name for name, item in value.items() if not isinstance(item, Mapping)]
            if dataclasses.is_dataclass(kind) and stray and stray[0] in _settings_of(kind):
                raise UsageError(
                    f"{source}: '{key}.{stray[0]}' stands in no entry.",
                    cause=f"There may be several under [{key}], each with a name of its own.",
                    hint=f"Choose a name, and write [{key}.NAME] instead of [{key}].",
                )
            return {name: _value(kind, item, source, f"{key}.{name}") for name, item in value.items()}
        raise UsageError(f"{source}: '{key}' must be a table, [{key}].")
    if hint is bool:
        if isinstance(value, bool):
            return value
        raise UsageError(f"{source}: '{key}' must be true or false, not {value!r}.")
    if hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        raise UsageError(f"{source}: '{key}' must be a number of 0 or more, not {value!r}.")
    if hint is int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise UsageError(f"{source}: '{key}' must be a whole number of 0 or more, not {value!r}.")
    if any("\0" in text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
        raise UsageError(f"{source}: '{key}' has a character that no program can be given.")
    if hint is str:
        if key.endswith(".until") and isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()  # TOML knows dates, too
        if key.endswith(".until") and not isinstance(value, str):
            raise UsageError(
                f"{source}: '{key}' must be a date such as 2027-03-31, not {value}.",
                hint="Year, month and day, with quotes or without; after that day the finding counts again.",
            )
        if not isinstance(value, str):
            raise UsageError(f"{source}: '{key}' must be text, not {value!r}.")
        if key == "build.registry" and value:
            check_registry(value, f"{source}: '{key}'")
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f"{source}: '{key}' must be a list of texts, not {value!r}.")


def check_registry(value: str, where: str) -> None:
    """Raise UsageError unless ``value`` is a registry prefix; ``where`` says who gave it."""
    if not is_registry_prefix(value):
        raise UsageError(
            f"{where}: {value!r} is no registry.",
            cause="A registry is a host, perhaps with a port and a path: no https://, no tag, no capitals "
            "in the path.",
            hint="For example ghcr.io/me/stack, docker.io/me or 127.0.0.1:5000.",
        )
