"""What ``audit --fix`` writes, on a real BuildKit with real packages: the same image, and a cache in use."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker

DEFEATED = "RUN --mount=type=cache,target=/root/.cache/pip \\\n    pip install --no-cache-dir -r /r.txt\n"
MISSING = "RUN pip install --no-cache-dir -r /r.txt\n"
BY_VARIABLE = "ENV PIP_NO_CACHE_DIR=1\nRUN --mount=type=cache,target=/root/.cache/pip pip install -r /r.txt\n"


def build(folder: Path, tag: str, *options: str) -> str:
    """What BuildKit said."""
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress=plain", "--load", f"--tag={tag}", *options, str(folder)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def files(image: str) -> dict[str, str]:
    """By path what a file is: its kind, rights and content. Compiled Python holds times, and is left out."""
    name = docker("create", image, "true")
    try:
        data = subprocess.run(["docker", "export", name], capture_output=True, check=True).stdout
    finally:
        docker("rm", name)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isfile() else None
            digest = hashlib.sha256(content.read()).hexdigest() if content else entry.linkname
            if not entry.name.endswith(".pyc"):
                found[entry.name] = f"{entry.type!r} {entry.mode:o} {entry.uid}:{entry.gid} {digest}"
    return found


@pytest.mark.parametrize("step", [DEFEATED, MISSING, BY_VARIABLE], ids=["defeated", "missing", "by-variable"])
def test_the_same_image_and_the_next_build_downloads_nothing(
    step: str,
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    base_images: Mapping[str, str],
    request: pytest.FixtureRequest,
) -> None:
    base = base_images.get("PYTHON_IMAGE", "python:3.12-slim")
    # It comes as source: pip keeps the wheel that it builds, whatever its index says of keeping downloads.
    text = f"FROM {base}\nLABEL {docker_session.label}\nCOPY r.txt /r.txt\n{step}"
    case = request.node.callspec.id
    own = f"# {docker_session.id} {case}"  # or an earlier run's layers would do
    folder = sandbox({"Dockerfile": text, "r.txt": f"{own}\ndocopt==0.6.2\n"})
    name = docker_session.name(f"audit-{case}")
    said = build(folder, f"{name}:before", "--no-cache")
    assert "Downloading" in said
    before = files(f"{name}:before")

    done = run_homeport(["audit", "--fix", "--apply"], folder)
    assert done.returncode == 0, done.stderr
    assert "1 finding mended" in done.stdout
    assert "no-cache" not in (folder / "Dockerfile").read_text(encoding="utf-8").lower()
    build(folder, f"{name}:after")
    assert files(f"{name}:after") == before

    # The dependencies change, so the step runs again: what it has it needn't fetch.
    (folder / "r.txt").write_text(f"{own}, another file\ndocopt==0.6.2\n", encoding="utf-8")
    said = build(folder, f"{name}:again")
    assert "Using cached" in said
    assert "Downloading" not in said


@pytest.mark.parametrize(
    ("mounts", "behind", "rule"),
    [
        ("", "apt-get clean && rm -rf /var/lib/apt/lists/*", "system-cache-missing"),
        (
            "--mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt ",
            "rm -rf /var/lib/apt/lists/*",
            "cache-defeated",
        ),
    ],
    ids=["missing", "defeated"],
)
def test_packages_of_the_system_are_fetched_once_and_the_image_stays_the_same(
    mounts: str,
    behind: str,
    rule: str,
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    base_images: Mapping[str, str],
) -> None:
    base = base_images.get("PYTHON_IMAGE", "python:3.12-slim")
    own = docker_session.name(f"audit-apt-{rule}")
    # As in the official images (moby contrib/mkimage/debootstrap): what was fetched is deleted at once.
    clean = 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };'
    # The stand-in of machines without a registry keeps none in its own way.
    as_official = f"sed -i /Keep-Downloaded/d /etc/apt/apt.conf.d/* && echo '{clean}'"
    first = f"FROM {base}\nRUN {as_official} > /etc/apt/apt.conf.d/docker-clean\n"
    build(sandbox({"Dockerfile": f"{first}LABEL {docker_session.label}\n"}, "base"), f"{own}:base")
    text = (
        f"FROM {own}:base\nARG AGAIN=1\n"
        f"RUN {mounts}echo $AGAIN {docker_session.id} && apt-get update \\\n"
        "    && apt-get install -y --no-install-recommends hello \\\n"
        f"    && {behind}\n"
    )
    folder = sandbox({"Dockerfile": text})
    fetched = re.compile(r"Need to get [1-9][\d.]* .?B of archives")
    for again in ("1", "2"):
        assert fetched.search(build(folder, f"{own}:before", f"--build-arg=AGAIN={again}"))
    before = files(f"{own}:before")

    done = run_homeport(["audit", "--fix", "--apply", "--only", rule], folder)
    assert "1 finding mended" in done.stdout, done.stdout + done.stderr
    build(folder, f"{own}:after")
    logs = ("var/log/", "var/cache/ldconfig/")  # they hold times
    kept = [
        {path: said for path, said in found.items() if not path.startswith(logs)}
        for found in (before, files(f"{own}:after"))
    ]
    assert kept[0] == kept[1]
    assert re.search(r"Need to get 0 B/[1-9]", build(folder, f"{own}:after", "--build-arg=AGAIN=3"))


def test_a_user_of_the_image_has_a_cache_of_its_own(
    sandbox: Sandbox, run_homeport: RunHomeport, docker_session: DockerSession, base_images: Mapping[str, str]
) -> None:
    base = base_images.get("PYTHON_IMAGE", "python:3.12-slim")
    own = docker_session.name("audit-user")
    text = (
        f"FROM {base}\nLABEL {docker_session.label}\n"
        "RUN useradd -m -u 1234 app\nUSER app\nCOPY r.txt /r.txt\n"
        "RUN --mount=type=cache,target=/root/.cache/pip pip install --user -r /r.txt\n"
    )
    mark = f"# {docker_session.id}"
    folder = sandbox({"Dockerfile": text, "r.txt": f"{mark}\ndocopt==0.6.2\n"})
    build(folder, f"{own}:before", "--no-cache")
    before = files(f"{own}:before")
    done = run_homeport(["audit", "--fix", "--apply", "--only", "cache-defeated"], folder)
    assert "1 finding mended" in done.stdout, done.stdout + done.stderr
    build(folder, f"{own}:after")
    # Without the mount pip leaves its cache in the image.
    kept = {path: said for path, said in before.items() if not path.startswith("home/app/.cache")}
    assert files(f"{own}:after") == kept
    (folder / "r.txt").write_text(f"{mark}, another file\ndocopt==0.6.2\n", encoding="utf-8")
    assert "Downloading" not in build(folder, f"{own}:again")
