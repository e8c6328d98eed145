"""All mutations of the oracle, and those of them that cost a build too many: pure data."""

from __future__ import annotations

import mutations_definition
import mutations_dockerfile
import mutations_files
import mutations_images
from mutations import Case

CASES: tuple[Case, ...] = (
    *mutations_files.CASES,
    *mutations_dockerfile.CASES,
    *mutations_images.CASES,
    *mutations_definition.CASES,
)


def false_builds() -> dict[str, str]:
    """By mutation: why homeport builds though BuildKit would make the same image."""
    return {case.name: case.false_build for case in CASES if case.false_build}
