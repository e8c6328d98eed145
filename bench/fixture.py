"""A generated repository of N services over one shared base, for measuring builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LABEL = "io.homeport.bench"


def write(folder: Path, count: int, base_image: str, seed: str, *, step_seconds: float = 1.0) -> list[str]:
    """Write the repository into ``folder``; returns the names of the ``count`` services.

    ``seed`` goes into every step, so that a new one means nothing is cached; each step takes
    ``step_seconds``. There is a docker-bake.json and, in a folder of its own so that bake doesn't merge the
    two, an equal Compose file (``compose/compose.yml``).
    """
    names = [f"svc{index:03d}" for index in range(count)]
    base = folder / "base"
    base.mkdir(parents=True, exist_ok=True)
    (base / "Dockerfile").write_text(
        f"FROM {base_image}\nRUN echo {seed} > /seed && sleep {step_seconds:g}\n", encoding="utf-8"
    )
    targets: dict[str, Any] = {"base": _target("base")}
    services: dict[str, Any] = {"base": _service("base")}
    for name in names:
        place = folder / name
        place.mkdir(exist_ok=True)
        (place / "app.txt").write_text(f"{name} {seed}\n", encoding="utf-8")
        (place / "Dockerfile").write_text(
            f"FROM base\nCOPY app.txt /app.txt\nRUN echo {name} > /built && sleep {step_seconds:g}\n",
            encoding="utf-8",
        )
        targets[name] = {**_target(name), "contexts": {"base": "target:base"}}
        services[name] = _service(name, additional_contexts={"base": "service:base"})
    bake = {"group": {"default": {"targets": names}}, "target": targets}
    (folder / "docker-bake.json").write_text(json.dumps(bake, indent=1), encoding="utf-8")
    compose = folder / "compose" / "compose.yml"
    compose.parent.mkdir(exist_ok=True)
    # JSON is YAML: nothing more is needed to write it.
    compose.write_text(json.dumps({"name": "bench", "services": services}, indent=1), encoding="utf-8")
    return names


def _target(name: str) -> dict[str, Any]:
    return {"context": name, "tags": [f"homeport-bench/{name}:latest"], "labels": {LABEL: "build"}}


def _service(name: str, **build: Any) -> dict[str, Any]:
    return {
        "image": f"homeport-bench/{name}:latest",
        "build": {"context": f"../{name}", "labels": {LABEL: "build"}, **build},
    }
