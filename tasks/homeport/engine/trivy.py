"""Trivy: ``trivy image --format json``, the program on PATH or its official image.

The command line: https://trivy.dev/latest/docs/references/configuration/cli/trivy_image/. The report, schema
version 2: https://trivy.dev/latest/docs/configuration/reporting/#json and ``pkg/types/report.go`` of
aquasecurity/trivy. Processes at the same time: https://trivy.dev/latest/docs/references/troubleshooting/
(scan caches are locked, so each has its own in memory; databases are, too, before pull 9750 of that project).
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.engine import api, owner
from homeport.engine.docker import version_tuple
from homeport.engine.process import Completed
from homeport.engine.scanner import (
    CONTAINER_LABEL,
    OWNER_LABEL,
    Programs,
    Ready,
    Report,
    ScannerProblem,
    document,
    entries,
    failed,
    garbled,
    needed,
    program,
    remove_container,
    text,
)
from homeport.model.vulnerability import SECRET, Level, Weakness, level

VOLUME = "homeport-trivy"
"""Where the official image keeps its database from one run to the next: a volume of the engine."""

_TOGETHER = (0, 68)
"""The first version whose processes can read one database at the same time."""
_SOCKET = "/var/run/docker.sock"
_DOCKER_FAILED = 125
"""The docker command's own failure: https://docs.docker.com/reference/cli/docker/container/run/#exit-status"""
_EVERYTHING = ",".join(one.name for one in Level)
_ENV = {"TRIVY_SKIP_VERSION_CHECK": "true", "TRIVY_DISABLE_TELEMETRY": "true", "TRIVY_NO_PROGRESS": "true"}
"""As variables: versions that don't know them would reject them as options."""
_NO_DATABASE = (
    "Trivy fetches its database from mirror.gcr.io or ghcr.io; TRIVY_DB_REPOSITORY names another place. "
    "--no-update takes the one that is there."
)


@dataclass(frozen=True)
class Trivy:
    """Trivy as a scanner. ``program`` is its path; empty: ``image`` is run by the engine instead."""

    programs: Programs
    program: str
    image: str
    socket: str = field(default=_SOCKET)

    @property
    def shown(self) -> str:
        return f"trivy ({self.program})" if self.program else f"trivy (image {self.image})"

    def prepare(self, update: bool) -> Ready:
        if update:
            done = self._run("image", "--download-db-only", "--no-progress")
            if done.code != 0:
                raise failed(done, "trivy can't bring its database up to date.", _NO_DATABASE)
        doing = "trivy can't say which database it has."
        return parse_version(document(self._run("version", "--format", "json"), doing))

    def scan(self, image: str, name: str) -> Report:
        done = self._run(*scan_words(image, self.programs.seconds))
        return parse(document(done, f"trivy can't scan {name}."), name)

    def sbom(self, image: str, name: str) -> dict[str, Any]:
        """The CycloneDX document of an image; Trivy gives it no other name than the id."""
        done = self._run(*sbom_words(image, self.programs.seconds))
        return document(done, f"trivy can't list what is in {name}.")

    def _run(self, *words: str) -> Completed:
        if self.program:
            return self.programs.run([self.program, *words], _ENV)
        name = f"homeport-scan-{secrets.token_hex(6)}"
        try:
            done = self.programs.run(container_argv(self.image, name, self.socket, words, str(owner.me())))
        except BaseException:
            # The docker command is gone, its container may not be.
            remove_container(name)
            raise
        if done.code == _DOCKER_FAILED:
            raise failed(
                done,
                "There is no trivy on PATH, and its official image can't be run.",
                "Install it (https://trivy.dev), or name an image that can be had: trivy-image under [scan].",
            )
        if done.code:
            # It may go on where the docker command was killed; usually it is gone already.
            remove_container(name)
        return done


def find(programs: Programs, image: str) -> Trivy:
    """The program on PATH, else the official image. Starts nothing."""
    return Trivy(programs, program("trivy"), image, _socket())


def scan_words(image: str, seconds: float) -> tuple[str, ...]:
    """The words of a scan. What a variable or a configuration file could hide is asked for explicitly."""
    return (
        *("image", "--format", "json", "--image-src", "docker", "--scanners", "vuln,secret"),
        *("--severity", _EVERYTHING, "--ignore-unfixed=false", "--exit-code", "0"),
        *("--skip-db-update", "--no-progress", "--cache-backend", "memory", "--timeout", f"{seconds:.0f}s"),
        image,
    )


def sbom_words(image: str, seconds: float) -> tuple[str, ...]:
    """The words of a list of what is in an image; for that no database is needed."""
    return (
        *("image", "--format", "cyclonedx", "--image-src", "docker", "--no-progress"),
        *("--cache-backend", "memory", "--timeout", f"{seconds:.0f}s", image),
    )


def container_argv(image: str, name: str, socket: str, words: tuple[str, ...], whose: str) -> list[str]:
    """The argv that runs Trivy's official image: the engine's socket read-only, the database in a volume.

    ``whose`` is the text of the process that it runs for.
    """
    env = [f"--env={key}={value}" for key, value in _ENV.items()]
    # By name only: their values are the docker command's to take over, and stand in no command line.
    env += [f"--env={key}" for key in ("TRIVY_DB_REPOSITORY", "TRIVY_JAVA_DB_REPOSITORY", "HTTPS_PROXY")]
    return [
        *("docker", "run", "--rm", "--name", name, "--label", f"{CONTAINER_LABEL}=1"),
        *("--label", f"{OWNER_LABEL}={whose}", *env),
        *("--volume", f"{socket}:{_SOCKET}:ro", "--volume", f"{VOLUME}:/root/.cache/trivy"),
        *(image, *words),
    ]


def _socket() -> str:
    """The engine's socket as containers see it: where the engine listens, not where a VM passes it on."""
    try:
        found = api.socket_path()
    except api.NoDirectWay:
        return _SOCKET
    return found if sys.platform == "linux" and "/.docker/" not in found else _SOCKET


def parse_version(said: Mapping[str, Any]) -> Ready:
    """What ``trivy version --format json`` says. Raises ScannerProblem where there is no database."""
    doing = "trivy can't say which database it has."
    try:
        version, database = needed(said, "Version"), said.get("VulnerabilityDB")
        if database is None:
            raise ScannerProblem(
                "trivy has no vulnerability database.",
                cause="It was never fetched on this machine.",
                hint=_NO_DATABASE,
            )
        number, built = int(database["Version"]), needed(database, "UpdatedAt")
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise garbled(doing, f"Its version isn't in the documented form: {error}.") from error
    at_once = 0 if version_tuple(version) >= _TOGETHER else 1
    return Ready("trivy", version, f"{number}, {built}", built, at_once)


def parse(said: Mapping[str, Any], name: str) -> Report:
    """What a report of schema version 2 says. Raises ScannerProblem for any other document."""
    doing = f"trivy can't scan {name}."
    if said.get("SchemaVersion") != 2 or "ArtifactName" not in said:
        raise garbled(doing, "It prints JSON, but no report of schema version 2.")
    try:
        results = entries(said, "Results")
        found = [one for result in results for one in _weaknesses(result)]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise garbled(doing, f"Its report isn't in the documented form: {error}.") from error
    looked = any(result.get("Class") in ("os-pkgs", "lang-pkgs") for result in results)
    return Report(tuple(found), looked)


def _weaknesses(result: Mapping[str, Any]) -> Iterator[Weakness]:
    target = text(result, "Target")
    for one in entries(result, "Vulnerabilities"):
        yield Weakness(
            id=needed(one, "VulnerabilityID"),
            level=level(text(one, "Severity")),
            package=needed(one, "PkgName"),
            version=text(one, "InstalledVersion") or "unknown",
            fixed=text(one, "FixedVersion"),
            title=text(one, "Title") or text(one, "Description"),
            url=text(one, "PrimaryURL"),
            path=text(one, "PkgPath") or (target if result.get("Class") == "lang-pkgs" else ""),
        )
    for one in entries(result, "Secrets"):
        # Its lines and its match are left where they are.
        line = int(one.get("StartLine") or 0)
        yield Weakness(
            id=SECRET,
            level=level(text(one, "Severity")),
            package=needed(one, "RuleID"),
            title=f"{needed(one, 'Title')} in a file of the image",
            path=f"{target}:{line}" if line else target,
        )
