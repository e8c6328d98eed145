"""What `python -m build` makes, installed alone in an empty environment, builds and deploys the example."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

import guides
from engine_fixtures import DockerSession, run_program
from example_stack import Example, make_example

SERVICE = "weather-api"  # which needs no other
PORT = "WEATHER_PORT"
PARTS = ("pyproject.toml", "README.md", "LICENSE", "tasks", "tasks.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source distribution, as `python -m build` does it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "homeport"
    source.mkdir()
    for name in PARTS:
        if (guides.ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(guides.ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(guides.ROOT / name, source / name)
    done = run_program([sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(source)], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (folder / "dist").glob("*.whl")
    return found


def test_the_wheel_has_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    package = guides.ROOT / "tasks"
    ours = {
        path.relative_to(package).as_posix()
        for path in (package / "homeport").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_installed_alone_it_builds_and_deploys_the_example(
    wheel: Path, tmp_path: Path, docker_session: DockerSession, base_images: dict[str, str]
) -> None:
    environment = tmp_path / "environment"
    made = run_program([sys.executable, "-m", "venv", str(environment)], tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = run_program([str(programs / "python"), *quiet, str(wheel)], tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr

    homeport = str(programs / "homeport")
    stack = make_example(tmp_path / "homeiq", docker_session, base_images, "wheel")
    stack = Example(stack.folder, {**stack.variables, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    try:
        stack.works(homeport, "build", "--parallel", "--targets", SERVICE, timeout=240)
        stack.works(homeport, "deploy", "--zero-downtime", "--services", SERVICE, timeout=240)
        with urllib.request.urlopen(f"http://127.0.0.1:{stack.variables[PORT]}/health", timeout=10) as answer:
            assert answer.status == 200
        listed = json.loads(stack.works(homeport, "releases", "--json", "-"))
        assert [release["outcome"] for release in listed["releases"]] == ["passed"]
    finally:
        stack.run(homeport, "down", "--volumes")
