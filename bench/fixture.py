"""A generated repository of N services over one or two shared bases, for measuring builds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABEL = "io.homeport.bench"


@dataclass(frozen=True)
class Shape:
    """What the repository is like.

    ``step_seconds``: how long each RUN takes. ``second_base``: how many of the services are built on a base
    of their own, "base2". ``files``: if not 0, all services have the context "." with about so many files,
    and copy their own folder and a shared one; with ``everything`` they copy all of it.
    """

    count: int
    base_image: str
    step_seconds: float = 0.0
    second_base: int = 0
    files: int = 0
    everything: bool = False


@dataclass(frozen=True)
class Repository:
    """What was written: the services in order, by base the services on it, and where the images go."""

    folder: Path
    names: tuple[str, ...]
    on: dict[str, tuple[str, ...]]
    prefix: str

    @property
    def everything(self) -> tuple[str, ...]:
        """All targets: what nothing is cached of when it is new."""
        return (*self.on, *self.names)

    def file(self, name: str) -> Path:
        """A file that only this service or base copies."""
        return self.folder / name / "app.txt"

    def tag(self, name: str) -> str:
        return f"{self.prefix}/{name}:latest"


def write(folder: Path, shape: Shape, seed: str, *, prefix: str, mark: str) -> Repository:
    """Write the repository into ``folder``.

    ``seed`` goes into every step, so that a new one means nothing is cached. Images are called
    ``prefix``/NAME:latest and labelled ``mark``. There is a docker-bake.json and, in a folder of its own so
    that bake doesn't merge the two, an equal Compose file (``compose/compose.yml``).
    """
    names = tuple(f"svc{index:03d}" for index in range(shape.count))
    first = shape.count - shape.second_base
    on = {"base": names[:first]} | ({"base2": names[first:]} if shape.second_base else {})
    repository = Repository(folder, names, on, prefix)
    targets: dict[str, Any] = {}
    services: dict[str, Any] = {}
    for base, dependents in on.items():
        _put(repository.file(base), f"{base} {seed}\n")
        _put(
            folder / base / "Dockerfile",
            f"FROM {shape.base_image}\nCOPY app.txt /{base}.txt\n"
            f"RUN echo {seed} > /seed && sleep {shape.step_seconds:g}\n",
        )
        common = {"labels": {LABEL: mark}}
        targets[base] = {"context": base, "tags": [repository.tag(base)], **common}
        services[base] = {"image": repository.tag(base), "build": {"context": f"../{base}", **common}}
        for name in dependents:
            _put(repository.file(name), f"{name} {seed}\n")
            _put(folder / name / "Dockerfile", _dockerfile(name, base, shape))
            place = {"context": ".", "dockerfile": f"{name}/Dockerfile"} if shape.files else {"context": name}
            there = {**place, "context": f"../{place['context']}"}
            targets[name] = {
                **{**place, "tags": [repository.tag(name)], **common},
                "contexts": {base: f"target:{base}"},
            }
            services[name] = {
                "image": repository.tag(name),
                "build": {**there, **common, "additional_contexts": {base: f"service:{base}"}},
            }
    _fill(folder, names, shape.files)
    bake = {"group": {"default": {"targets": names}}, "target": targets}
    _put(folder / "docker-bake.json", json.dumps(bake, indent=1))
    # JSON is YAML: nothing more is needed to write it.
    compose = {"name": "bench", "services": services}
    _put(folder / "compose" / "compose.yml", json.dumps(compose, indent=1))
    return repository


def _dockerfile(name: str, base: str, shape: Shape) -> str:
    if shape.everything:
        copy = "COPY . /all\n"
    elif shape.files:
        copy = f"COPY {name} /own\nCOPY shared /shared\n"
    else:
        copy = "COPY app.txt /app.txt\n"
    return f"FROM {base}\n{copy}RUN echo {name} > /built && sleep {shape.step_seconds:g}\n"


def _fill(folder: Path, names: tuple[str, ...], files: int) -> None:
    """Spread files of some hundred bytes: a sixth is shared, a sixth nobody's own, the rest the services'."""
    places = {"shared": files // 6, "docs": files // 6}
    places |= {name: files * 2 // 3 // len(names) for name in names}
    for place, number in places.items():
        for index in range(number):
            # Some twenty to a folder, as in most repositories.
            _put(folder / place / f"part{index // 20}" / f"file{index}.txt", f"{place} {index}\n" * 40)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
