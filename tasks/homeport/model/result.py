"""What a build did, as data: the one source of every table, picture and file about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from homeport.model.graph import critical_path
from homeport.model.solve import Failure


class Status(str, Enum):
    """How a target ended."""

    BUILT = "built"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Stopped while it ran, because another target failed or somebody interrupted."""
    UNBUILT = "unbuilt"
    """Never started, for the same reasons, or because something it needs failed."""
    SKIPPED = "skipped"
    """No build was due: an image with its fingerprint is verified to exist."""


@dataclass(frozen=True)
class StepResult:
    """One step of a target; ``started`` is in seconds since the run's start, ``seconds`` its duration."""

    name: str
    started: float
    seconds: float
    cached: bool
    instruction: bool


@dataclass(frozen=True)
class TargetResult:
    """How one target went. Times are seconds, ``started`` counts from the run's start."""

    name: str
    status: Status
    why: str
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    started: float = 0.0
    seconds: float = 0.0
    cached: int = 0
    executed: int = 0
    context_bytes: int = 0
    digest: str = ""
    record: str = ""
    attempts: int = 0
    retried: tuple[str, ...] = ()
    """Why each earlier attempt ended: the classes of transient failure."""
    note: str = ""
    failure: Failure | None = None
    steps: tuple[StepResult, ...] = ()
    warnings: tuple[str, ...] = ()
    remote: str = ""
    """Where the image is, if it is in a registry only: a name with a digest."""
    stale: bool = False
    """Whether the engine has another image under the target's name meanwhile."""


@dataclass(frozen=True)
class BuildResult:
    """A whole run; ``targets`` in the plan's order, ``started_at`` in seconds since the epoch."""

    targets: tuple[TargetResult, ...]
    started_at: float
    seconds: float
    jobs: int
    batches: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    project: str = ""
    cpus: int = 1
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What it ran on, for the report: engine and buildx version, builder, registry."""
    late_warnings: tuple[str, ...] = ()
    """Those of ``warnings`` that came up after the plan was shown."""

    def having(self, status: Status) -> tuple[TargetResult, ...]:
        """The targets that ended as ``status``."""
        return tuple(target for target in self.targets if target.status is status)

    @property
    def ok(self) -> bool:
        good = {Status.BUILT, Status.SKIPPED}
        return not self.interrupted and all(target.status in good for target in self.targets)

    @property
    def summed(self) -> float:
        """The targets' own times added up, in seconds."""
        return sum(target.seconds for target in self.targets)

    def sequential_range(self) -> tuple[float, float]:
        """What building one after the other would have taken, in seconds: at least, at most.

        At most the targets' own times added up: true if each would have taken as long alone. But targets
        that share processors slow each other down, so at least the time in which that many processors
        were busy: true if the processors were the only limit.
        """
        marks = sorted(
            mark
            for target in self.targets
            if target.attempts
            for mark in ((target.started, 1), (target.started + target.seconds, -1))
        )
        least, running, before = 0.0, 0, 0.0
        for moment, change in marks:
            least += min(running, max(self.cpus, 1)) * (moment - before)
            running, before = running + change, moment
        return least, max(least, self.summed)

    def critical_path(self) -> tuple[tuple[str, ...], float]:
        """The chain of dependencies that no number of jobs makes shorter, and its seconds."""
        graph: dict[str, Sequence[str]] = {target.name: target.needs for target in self.targets}
        return critical_path(graph, {target.name: target.seconds for target in self.targets})
