"""Definitions in conflict: our reading of the files against Compose's own verdict, which needs no engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from homeport.model.includes import conflicts
from homeport.sources.compose import read

CASES = {
    "nothing said": ("volumes: {v: }", "volumes: {v: }"),
    "nothing and empty": ("volumes: {v: }", "volumes: {v: {}}"),
    "empty and nothing": ("volumes: {v: {}}", "volumes: {v: }"),
    "only there": ("", "volumes: {v: {driver: local}}"),
    "external": ("networks: {n: {external: true}}", "networks: {n: {external: true}}"),
    "external as text": ("networks: {n: {external: true}}", "networks: {n: {external: 'true'}}"),
    "external in capitals": ("networks: {n: {external: true}}", "networks: {n: {external: True}}"),
    "external or not": ("volumes: {v: }", "volumes: {v: {external: true, name: x}}"),
    "labels as a list": ("volumes: {v: {labels: [a=1]}}", "volumes: {v: {labels: [a=1]}}"),
    "labels in two forms": ("volumes: {v: {labels: {a: '1'}}}", "volumes: {v: {labels: [a=1]}}"),
    "a file": ("secrets: {s: {file: ./x}}", "secrets: {s: {file: ./x}}"),
    "a variable": ("secrets: {s: {environment: X}}", "secrets: {s: {environment: X}}"),
    "a config": ("configs: {s: {content: X}}", "configs: {s: {content: X}}"),
    "a default": ("volumes: {v: {name: '${N:-x}'}}", "volumes: {v: {name: x}}"),
    "a dollar": ("volumes: {v: {name: 'a$$b'}}", "volumes: {v: {name: 'a$$b'}}"),
    "a service": ("services: {b: {image: x}}", "services: {b: {image: x}}"),
    "another service": ("services: {b: {image: x}}", "services: {b: {image: y}}"),
    "a service with ports": (
        "services: {b: {image: x, ports: ['1:1']}}",
        "services: {b: {image: x, ports: ['1:1']}}",
    ),
}


@pytest.mark.parametrize("way", ["own", "included"])
@pytest.mark.parametrize("name", CASES)
def test_a_conflict_as_compose_sees_it(name: str, way: str, tmp_path: Path) -> None:
    first, second = CASES[name]
    more = "services: {a: {image: x}}"
    for folder in (".", "one", "two"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "x").write_text("", encoding="utf-8")
    own = first if way == "own" else ""
    include = "[two/c.yml]" if way == "own" else "[one/c.yml, two/c.yml]"
    text = f"include: {include}\n{own}\n{'' if 'services' in own else more}\n"
    (tmp_path / "compose.yml").write_text(text, encoding="utf-8")
    (tmp_path / "one" / "c.yml").write_text(f"{first or 'services: {z: {image: x}}'}\n", encoding="utf-8")
    (tmp_path / "two" / "c.yml").write_text(f"{second}\n", encoding="utf-8")
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    theirs = "conflicts with imported resource" in done.stderr
    assert theirs or done.returncode == 0, done.stderr
    found = read(tmp_path, (), {})
    assert bool(conflicts(found.project, found.environment)) is theirs
