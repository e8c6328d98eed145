"""How everything that a run makes is named and labelled: by these it is found and removed, and by nothing
else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "homeport-bench-"
RUN_LABEL = "io.homeport.bench.run"
OWNER_LABEL = "io.homeport.bench.owner"


@dataclass(frozen=True)
class Names:
    """The names of one run; ``owner`` is the text of its process (see engine/owner.py)."""

    run: str
    owner: str = field(repr=False)

    @property
    def prefix(self) -> str:
        """Begins the name of every image, project, folder and cache mount of the run."""
        return f"{PREFIX}{self.run}"

    @property
    def labels(self) -> Mapping[str, str]:
        return {RUN_LABEL: self.run, OWNER_LABEL: self.owner}

    def tags(self, targets: tuple[str, ...], kind: str) -> dict[str, str]:
        """By target the image's name; ``kind`` keeps scenarios apart that must not find each other's.

        Names of images are less free than those of targets, so a number makes up for what is lost.
        """
        cleaned = {name: re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in targets}
        return {
            name: f"{self.prefix}/{kind}/{number}-{cleaned[name] or 'target'}:latest"
            for number, name in enumerate(targets)
        }

    def project(self, kind: str) -> str:
        """A Compose project's name."""
        return f"{self.prefix}-{kind}"
