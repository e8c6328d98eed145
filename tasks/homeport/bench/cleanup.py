"""Whatever a run made is removed, by its own names and labels alone; and what killed runs left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from functools import partial

from homeport.bench import copies
from homeport.bench.names import OWNER_LABEL, PREFIX, RUN_LABEL, Names
from homeport.engine import folders, images, owner, process, projects, volumes
from homeport.engine.containers import PROJECT_LABEL, ContainerProblem
from homeport.errors import HomeportError
from homeport.report.words import one_line, plural

_KINDS = ("plain", "zero")
_TRIES = 3
_RUN = re.compile("[0-9a-f]{8}")
_AGAIN = "The engine's words stand above. The next 'homeport bench' removes what this one left."


def run(names: Names, pulled: Iterable[str] = (), builder: str = "") -> tuple[str, ...]:
    """Remove everything of a run but its folder, and images that it fetched; returns what is left, in words.

    ``builder`` is the buildx builder that has its cache mounts; none: the current one.
    """
    work: list[Callable[[], None]] = [partial(project, names.project(kind)) for kind in _KINDS]
    work += [
        partial(_labelled, f"{RUN_LABEL}={names.run}"),
        partial(_images, names.run),
        partial(images.untag, tuple(pulled)),
        partial(_caches, names.prefix, builder),
    ]
    return tuple(filter(None, map(_removed, work)))


def project(name: str) -> None:
    """Remove a Compose project with its containers, networks, volumes, and what homeport noted of it.

    Raises ContainerProblem for what can't be removed.
    """
    if not name.startswith(PREFIX):
        raise AssertionError(name)
    _labelled(f"{PROJECT_LABEL}={name}")
    # Releases and locks are volumes; homeport calls them so (deploy/notes.py).
    listed = process.run(["docker", "volume", "ls", "--quiet", "--filter", f"name=homeport-{name}-"]).stdout
    volumes.remove(one for one in listed.split() if one.startswith(f"homeport-{name}-"))


def sweep(place: str) -> tuple[str, ...]:
    """Remove what runs left that were killed, as seen from ``place`` (see engine/owner.py); says what."""
    things = {**projects.labelled(RUN_LABEL), **_labels_of_images()}
    there = {f"folder/{folder}": (folder, found, said) for folder, found, said in copies.left()}
    things |= {key: {RUN_LABEL: found, OWNER_LABEL: said} for key, (_, found, said) in there.items()}
    dead = owner.orphans(things, OWNER_LABEL, place)
    # What isn't a run's own number names nothing that could be removed by it.
    runs = {run_id for labels in dead.values() if _RUN.fullmatch(run_id := labels.get(RUN_LABEL, ""))}
    problems: list[str] = []
    for one in runs:
        problems += run(Names(one, ""))
        for key, (folder, found, _) in there.items():
            if key in dead and found == one:
                folders.remove(folder)
    if not runs:
        return ()
    what = f"Removed what {plural(len(runs), 'bench')} left that had been killed"
    return (f"{what}, but for: {'; '.join(problems)}" if problems else f"{what}.",)


def _labelled(label: str) -> None:
    said = ""
    for _ in range(_TRIES):
        found = projects.labelled(label)
        if not found:
            return
        said = projects.remove(found)
        time.sleep(0.2)
    if left := projects.labelled(label):
        raise ContainerProblem(f"This is left: {', '.join(left)}.", hint=_AGAIN, detail=said)


def _removed(work: Callable[[], None]) -> str:
    try:
        work()
    except HomeportError as error:
        return one_line(f"{error.what} {error.detail}", 300)
    return ""


def _ids(label: str) -> list[str]:
    argv = ["docker", "image", "ls", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}"]
    return list(dict.fromkeys(process.run(argv).stdout.split()))


def _images(run_id: str) -> None:
    """Remove all images with a run's label, by their ids: whatever their names are by now."""
    said = ""
    for _ in range(_TRIES):
        found = _ids(f"{RUN_LABEL}={run_id}")
        if not found:
            return
        said = process.run(["docker", "image", "rm", "--force", "--", *found], timeout=600).stderr
        time.sleep(0.2)
    if left := _ids(f"{RUN_LABEL}={run_id}"):
        raise ContainerProblem(f"{plural(len(left), 'image')} can't be removed.", hint=_AGAIN, detail=said)


def _labels_of_images() -> dict[str, dict[str, str]]:
    found = _ids(RUN_LABEL)
    if not found:
        return {}
    argv = ["docker", "image", "inspect", "--format", "{{.Id}} {{json .Config.Labels}}", "--", *found]
    labels = {}
    for line in process.run(argv).stdout.splitlines():
        identity, _, text = line.partition(" ")
        labels[f"image/{identity}"] = {
            str(key): str(value) for key, value in (json.loads(text) or {}).items()
        }
    return labels


def _caches(prefix: str, builder: str) -> None:
    """Remove what the run's own cache mounts hold: BuildKit names them in what it says of each record.

    Both filters have to match (docker/buildx commands/prune.go joins them with "and").
    """
    chosen = [f"--builder={builder}"] if builder else []
    argv = ["docker", "buildx", *chosen, "prune", "--force", "--filter", "type=exec.cachemount"]
    process.run([*argv, "--filter", f"description~={prefix}"], timeout=300)
