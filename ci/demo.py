"""The main job on a real stack: build examples/homeiq, deploy it, change a service under load, and go back.

    python ci/demo.py            do it, show the results, say what to try next
    python ci/demo.py --clean    take away what the demo made: its registry, and the stack with its images

An engine is installed if there is none and that is possible (ci/engine.py); base images are made from Debian
packages if no image registry can be reached (ci/base_images.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import base_images
import engine
from callers import Callers

ROOT = Path(__file__).resolve().parent.parent
STACK = ROOT / "examples" / "homeiq"
REPORT = ROOT / ".homeport" / "demo"
REGISTRY = "homeport-demo-registry"
REGISTRY_IMAGE = "registry:2"
ENV_FILE = STACK / ".env"


def main(arguments: Sequence[str]) -> int:
    """Run the demo; returns its exit code."""
    if arguments == ["--clean"]:
        return clean()
    if code := engine.main([]):
        return code
    images = {} if base_images.reachable_registry() else base_images.ensure()
    if images and not ENV_FILE.exists():
        # Compose and bake read the images' names from here, also when you type the commands below.
        ENV_FILE.write_bytes("".join(f"{key}={value}\n" for key, value in images.items()).encode())
    registry = start_registry(images.get("REGISTRY_IMAGE", REGISTRY_IMAGE))

    say("Build the stack: 18 images in three levels, in parallel, caches to a registry")
    build = [homeport(), "build", "--parallel", "--registry", registry, "--report", str(REPORT)]
    if code := run(build, images):
        return code
    say("The same again: nothing to do")
    if code := run(build[:-2], images):
        return code
    say("What is in the registry now")
    show_caches(registry)
    if code := deploy(registry, images):
        return code
    show_next(registry, stand_ins=bool(images))
    return 0


def deploy(registry: str, images: dict[str, str]) -> int:
    """Deploy the stack, then another version of one service while requests run, and back again."""
    say("Deploy the stack, with a front before each service that can have one")
    if code := run([homeport(), "deploy", "--zero-downtime"], images):
        return code
    port = os.environ.get("DATA_API_PORT", "18006")
    with Callers(f"http://127.0.0.1:{port}/version") as callers:
        say("Another version of data-api, while requests run")
        second = {**images, "VERSION": "2"}
        build = ["build", "--parallel", "--targets", "data-api", "--registry", registry]
        probe = ["--report", str(REPORT), "--probe", f"http://127.0.0.1:{port}/version"]
        change = ["deploy", "--services", "data-api", *probe]
        for words, variables in ((build, second), (change, second), (["rollback"], images)):
            if code := run([homeport(), *words], variables):
                return code
            time.sleep(1)
    print(f"\n{callers.describe()}.")
    return run([homeport(), "releases"], images) or int(callers.failures.total() > 0)


def start_registry(image: str) -> str:
    """Start the demo's own registry, or find it running; returns its address on this machine."""
    if docker("container", "ls", "--quiet", "--filter", f"name=^{REGISTRY}$").strip() == "":
        docker("container", "rm", "--force", "--volumes", REGISTRY, check=False)
        options = ["--detach", "--name", REGISTRY, "--publish", "127.0.0.1::5000", "--restart", "no"]
        docker("run", *options, image)
    address = docker("port", REGISTRY, "5000/tcp").split()[0]
    deadline = time.monotonic() + 30
    while not answers(address):
        if time.monotonic() > deadline:
            sys.exit(
                f"error: the demo's registry doesn't answer at {address}.\n next: docker logs {REGISTRY}"
            )
        time.sleep(0.1)
    return address


def answers(address: str) -> bool:
    """Whether a registry answers there."""
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def show_caches(registry: str) -> None:
    """One line for each target's cache: its reference, and the bytes that no other target's cache has."""
    try:
        tags = sorted(ask(registry, "/v2/cache/tags/list").get("tags") or [])
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        print("No caches: the images were there already, so nothing was built.")
        return
    layers = {tag: sizes(ask(registry, f"/v2/cache/manifests/{tag}")) for tag in tags}
    for tag in tags:
        others = set().union(*(layers[other] for other in tags if other != tag))
        own = sum(size for digest, size in layers[tag].items() if digest not in others)
        print(f"  {registry}/cache:{tag:<32} {own / 1e3:8.1f} kB of its own")
    every = {digest: size for found in layers.values() for digest, size in found.items()}
    print(f"  together, shared layers once: {sum(every.values()) / 1e6:.1f} MB")


def sizes(manifest: dict[str, Any]) -> dict[str, int]:
    """The layers of a cache manifest: digest to bytes."""
    entries = manifest.get("layers") or manifest.get("manifests") or []
    return {str(entry["digest"]): int(entry["size"]) for entry in entries}


def ask(registry: str, path: str) -> dict[str, Any]:
    """A document from the registry's API."""
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    request = urllib.request.Request(f"http://{registry}{path}", headers={"Accept": kinds})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        found: dict[str, Any] = json.load(answer)
        return found


def show_next(registry: str, *, stand_ins: bool) -> None:
    """What to try now, as commands that work as they stand."""
    command = Path(homeport())
    inside = command.is_relative_to(ROOT)
    shown = command.relative_to(ROOT) if inside else command
    from_stack = f"../../{shown}" if inside else str(shown)
    say("What to try next")
    if stand_ins:
        # Compose reads .env by itself, bake only the environment.
        print(f"  first, once           set -a; . {ENV_FILE.relative_to(ROOT)}; set +a")
    stack = STACK.relative_to(ROOT)
    there = f"(cd {stack} && {from_stack} build --parallel"
    print(
        f"  the pictures          {(REPORT / 'build.html').relative_to(ROOT)}, deploy.html beside it\n"
        f"  use the stack         http://127.0.0.1:18080, or (cd {stack} && python3 smoke.py)\n"
        f"  what runs             (cd {stack} && {from_stack} status)\n"
        f"  change one service    edit {stack}/domains/core-platform/data-api/main.py, then\n"
        f"                        {there} --registry {registry})\n"
        f"  a base by its tag     {there} --targets extras)\n"
        f"  only the plan         {there} --dry-run)\n"
        f"  is all in order       {shown} doctor\n"
        f"  take it all away      {shown.with_name('python')} ci/demo.py --clean"
    )


def clean() -> int:
    """Remove the demo's registry, and the stack with its volumes and the images that the demo built."""
    docker("container", "rm", "--force", "--volumes", REGISTRY, check=False)
    own = docker("container", "ls", "--all", "--quiet", "--filter", "label=com.docker.compose.project=homeiq")
    if own:
        # The fronts and replicas, which the Compose file doesn't name.
        docker("container", "rm", "--force", "--volumes", *own.split())
    notes = docker("volume", "ls", "--quiet", "--filter", "label=io.homeport.release.stack=homeiq")
    if notes:
        docker("volume", "rm", *notes.split())
    # From there: Compose 2.40 looks for files that are included twice from where it runs.
    docker("compose", "down", "--volumes", folder=STACK)
    # By the example's own label: a real HomeIQ on this engine has images of the same names.
    own = "label=org.opencontainers.image.title=HomeIQ example"
    built = docker("image", "ls", "--quiet", "--filter", own).split()
    if built:
        docker("image", "rm", "--force", *dict.fromkeys(built))
    ENV_FILE.unlink(missing_ok=True)
    return 0


def homeport() -> str:
    """The console script beside this interpreter."""
    return str(Path(sys.executable).with_name("homeport.exe" if sys.platform == "win32" else "homeport"))


def run(argv: Sequence[str], variables: dict[str, str]) -> int:
    """Run a command in the example, its output on this screen."""
    print(f"$ {' '.join(['homeport', *argv[1:]])}\n", flush=True)
    return subprocess.run(argv, cwd=STACK, env={**os.environ, **variables}).returncode


def docker(*arguments: str, check: bool = True, folder: Path | None = None) -> str:
    """Run docker quietly and return what it printed; a failure ends the demo with docker's own words."""
    done = subprocess.run(
        ["docker", *arguments], cwd=folder, capture_output=True, encoding="utf-8", errors="replace"
    )
    if check and done.returncode != 0:
        sys.exit(
            f"error: 'docker {' '.join(arguments[:2])}' failed.\ncause: {done.stderr.strip()}\n"
            " next: homeport doctor"
        )
    return done.stdout


def say(text: str) -> None:
    """A heading."""
    print(f"\n== {text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
