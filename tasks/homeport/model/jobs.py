"""How many targets to have in flight when nobody says."""

from __future__ import annotations

MEMORY_PER_JOB = 512 * 1024**2
"""Bytes of free memory that one more target in flight should find."""

JOBS_PER_CORE = 16
"""Chosen on two cores with bench/build.py's tree, whose steps mostly wait: 8 a core was slower there.

Builds that are bound by the processors may want fewer; no such repository has been measured yet.
"""


def default_jobs(cpus: int, free_memory: int) -> int:
    """Targets in flight: several a core, but never more than the free memory (bytes) holds."""
    return max(1, min(cpus * JOBS_PER_CORE, free_memory // MEMORY_PER_JOB))
