"""The machine that is to carry all services."""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeport.errors import UsageError
from homeport.model.tiers import bytes_of, cores_of

_CORES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:cpus?|cores?)", re.IGNORECASE)


@dataclass(frozen=True)
class Host:
    """What a machine has: cores, and bytes of memory; 0 where nobody knows."""

    cores: float
    memory: int


def parse_host(text: str, where: str = "--host") -> Host:
    """A host such as ``4cpu,16g``; either part may be missing. Raises UsageError for anything else."""
    cores, memory = 0.0, 0
    for part in (part.strip() for part in text.split(",")):
        if match := _CORES.fullmatch(part):
            cores = cores_of(match[1]) or 0.0
        elif found := bytes_of(part):
            memory = found
        else:
            raise UsageError(f"{where}: {part!r} is no size of a host.", hint="For example 4cpu,16g.")
    return Host(cores, memory)
