"""A file for each image with what is in it, as CycloneDX JSON: by syft, else by Trivy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from homeport.engine import syft
from homeport.engine.scanner import Programs, Scanner
from homeport.engine.syft import Lister
from homeport.engine.trivy import Trivy
from homeport.report.document import file_name, write_json
from homeport.scan.images import each
from homeport.scan.subjects import Subject


def lister(scanner: Scanner, programs: Programs) -> Lister:
    """What makes the lists. Raises ScannerProblem where nothing can."""
    if found := syft.find(programs):
        return found
    if isinstance(scanner, Trivy):
        return scanner
    raise syft.missing()


def write(
    maker: Lister, subjects: Sequence[Subject], folder: Path, jobs: int, programs: Programs
) -> dict[str, str]:
    """Write the lists into a folder; by image id the file. Raises ScannerProblem or UsageError."""

    def one(subject: Subject) -> tuple[str, str]:
        said = syft.checked(maker.sbom(subject.id, subject.reference), subject.reference)
        path = folder / file_name(f"{subject.targets[0]}.cdx.json")  # its first target's
        write_json(str(path), said)
        return subject.id, str(path)

    return dict(each(one, subjects, jobs, programs, lambda _: None))
