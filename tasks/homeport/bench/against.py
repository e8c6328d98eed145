"""An earlier run, read back from its JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from homeport.bench.show import SCHEMA
from homeport.errors import UsageError

_SAME = ("cores", "memory", "system", "engine", "buildx", "compose", "image store", "builder", "python")
"""What two runs must have in common for their times to be comparable at all."""


@dataclass(frozen=True)
class Earlier:
    """An earlier run: the values by measure (only of those that went well), where that was, and of what."""

    name: str
    values: Mapping[str, tuple[float, ...]] = field(hash=False)
    environment: Mapping[str, str] = field(hash=False)
    targets: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    @property
    def medians(self) -> dict[str, float]:
        return {key: float(median(values)) for key, values in self.values.items()}

    def differences(
        self, environment: Mapping[str, str], targets: tuple[str, ...], services: tuple[str, ...]
    ) -> tuple[str, ...]:
        """What makes the two runs hard to compare, in words."""
        found = [
            f"{key} was {self.environment[key]} then, and is {environment.get(key)} now: so are times."
            for key in _SAME
            if key in self.environment and self.environment[key] != environment.get(key)
        ]
        for what, then, now in (("targets", self.targets, targets), ("services", self.services, services)):
            if {*then} != {*now}:
                found.append(f"The {what} are others ({len(then)} then, {len(now)} now): so is the work.")
        return tuple(found)


def read(path: str) -> Earlier:
    """Read what ``bench --json`` wrote. Raises UsageError for anything else."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"--against {path!r} can't be read: {error.strerror}.",
            hint="Name a file that 'homeport bench --json FILE' has written.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _no_bench(path, "It is no JSON document.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        said = document.get("schema") if isinstance(document, dict) else None
        raise _no_bench(path, f"Its schema is {said!r}, not {SCHEMA!r}.")
    try:
        return _earlier(path, document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _no_bench(path, f"It lacks the form of one ({type(error).__name__}: {error}).") from error


def _earlier(path: str, document: Mapping[str, Any]) -> Earlier:
    values = {}
    for one in document["figures"]:
        found = tuple(float(each) for each in one["values"])
        if not all(math.isfinite(each) and each >= 0 for each in found):
            raise ValueError(f"{one['key']} has a value that nothing takes")
        if one["state"] == "measured" and found:
            values[str(one["key"])] = found
    environment = {str(key): str(each) for key, each in document["environment"].items()}
    targets, services = (tuple(map(str, document[key])) for key in ("targets", "services"))
    return Earlier(path, values, environment, targets, services)


def _no_bench(path: str, cause: str) -> UsageError:
    return UsageError(
        f"--against {path!r} is no earlier run of the bench.",
        cause=cause,
        hint="Name a file that 'homeport bench --json FILE' has written.",
    )
