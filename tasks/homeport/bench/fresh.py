"""A fresh machine: no images and nothing remembered, but a registry that another machine has filled."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from typing import Any

from homeport.bench.builds import PARALLEL
from homeport.bench.work import StepFailed, Value, Work
from homeport.engine import images, process, registry
from homeport.report.words import one_line, plural

REGISTRY_VARIABLE = "REGISTRY_IMAGE"
_START_SECONDS = 30.0


class Fresh:
    """The step, with a registry of its own."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._address = ""

    def measure(self, number: int) -> list[Value]:
        """Everything that builds need is taken from the registry, and the images are put into the engine."""
        work = self._work
        tree = work.tree("fresh")
        path, made = work.define("fresh", "fresh", work.builds)
        if not self._address:
            address = self._start()
            work.tell("preparing: the registry is filled")
            words = [*PARALLEL, "--push", "--registry", f"{address}/cache", "--file", str(path)]
            _, document = work.homeport(words, tree, "filling")
            self._address = address
        self._forget(made)
        words = [*PARALLEL, "--load", "--registry", f"{self._address}/cache", "--file", str(path)]
        done, document = work.homeport(words, tree, "fresh")
        status = [str(one["status"]) for one in document.get("targets", ())]
        built = status.count("built")
        notes = [f"{plural(status.count('skipped'), 'target')} taken from the registry"]
        if built:
            notes.append(f"{built} built, for which what this engine has cached counted, too")
        return [Value("fresh", done.seconds, tuple(notes))]

    def _forget(self, made: Mapping[str, Any]) -> None:
        """Take away what this machine has of the images and knows of them."""
        work = self._work
        there = process.run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split()
        ours = [name for name in there if name.startswith(f"{self._address}/")]
        images.untag(ours)
        work.untag(made)
        shutil.rmtree(work.place.folder / "cache-fresh", ignore_errors=True)

    def _start(self) -> str:
        """Start a registry at a port of this machine; returns its address."""
        work = self._work
        image = os.environ.get(REGISTRY_VARIABLE) or work.config.registry_image
        work.image(image)
        labels = [f"--label={key}={value}" for key, value in work.names.labels.items()]
        # Engines need no TLS at 127.0.0.0/8.
        argv = ["docker", "run", "--detach", *labels, "--publish=127.0.0.1::5000", "--", image]
        done = process.run(argv, timeout=120)
        if done.code != 0:
            raise StepFailed(f"the registry doesn't start: {one_line(done.stderr, 200)}")
        container = done.stdout.strip()
        said = process.run(["docker", "port", container, "5000/tcp"]).stdout.split()
        if not said:
            raise StepFailed("the registry has no port")
        end = time.monotonic() + _START_SECONDS
        while registry.ask(said[0]).state != "ok":
            if time.monotonic() > end:
                raise StepFailed(f"the registry doesn't answer within {_START_SECONDS:.0f} s")
            time.sleep(0.2)
        return said[0]
