"""What the command line and the configuration ask of a build."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildOptions:
    """What the command line and the configuration ask for."""

    parallel: bool = False
    jobs: int = 0
    push: bool = False
    registry: str = ""
    keep_going: bool = False
    retries: int = 2
    main_branch: str = "main"
    cache_export: bool = True
    """Write the registry's caches, too, instead of only reading them."""
    allow: tuple[str, ...] = ()
    skip: bool = True
    """Leave out what needs no build."""
    refresh: bool = False
    """Fetch base images anew that the engine has."""
    load: bool = False
    """Fetch images into the engine that are found in the registry only."""
