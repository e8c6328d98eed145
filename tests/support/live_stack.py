"""A Compose stack on the real engine, with callers that count what they miss while it is deployed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import leftovers
from engine_fixtures import DockerSession, RunHomeport, docker

_MOST_SECONDS = 180
TRAFFIC = Path(__file__).resolve().parent / "traffic"
_ASK = (
    r"[[ $$0 =~ //([^:]+):([0-9]+)(/.*) ]] && exec 3<>/dev/tcp/$${BASH_REMATCH[1]}/$${BASH_REMATCH[2]} && "
    r"printf 'GET %s HTTP/1.0\r\n\r\n' $${BASH_REMATCH[3]} >&3 && "
    "read -r line <&3 && echo $$line && [[ $$line == *' 200 '* ]]"
)
CHECK = ["CMD", "bash", "-c", _ASK, "http://127.0.0.1:8000/health"]
"""A health check as people write it with curl, which not every image has.

Python would take a fifth of a second of a core for it, ten times a second while a gate waits.
"""
OFTEN: dict[str, Any] = {"healthcheck": {"test": CHECK, "interval": "1s"}}
"""For tests that wait for what Compose says of a health check: by default it says so after 30 s."""


@dataclass(frozen=True)
class Outcome:
    """What a command said and wrote as JSON."""

    code: int
    said: str
    document: dict[str, Any]

    @property
    def actions(self) -> dict[str, str]:
        return {item["name"]: item["action"] for item in self.document.get("services", ())}

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(event["service"], event["what"]) for event in self.document.get("events", ())]

    def detail(self, service: str, what: str) -> str:
        """What was said of the first such event."""
        return str(self._event(service, what)["detail"])

    def at(self, service: str, what: str) -> float:
        """When the first such event was, in seconds since the epoch."""
        began: float = self.document["release"]["started"]
        return began + float(self._event(service, what)["at"])

    def _event(self, service: str, what: str) -> dict[str, Any]:
        return next(
            event for event in self.document["events"] if (event["service"], event["what"]) == (service, what)
        )


@dataclass
class Running:
    """A deploy under way, and what it has said so far."""

    process: subprocess.Popen[str]
    said: str

    def end(self, code: int | None) -> str:
        """Wait for its end; all that it said."""
        rest, _ = self.process.communicate(timeout=120)
        text = self.said + rest
        assert "a bug in homeport" not in text, text
        assert code in (None, self.process.returncode), f"exit code {self.process.returncode}\n{text}"
        return text


@dataclass
class LiveStack:
    """A project in ``folder``; ``port`` is where the service "app" is published (its lines: 1000 above)."""

    folder: Path
    name: str
    port: int
    image: str
    env: Mapping[str, str]
    run: RunHomeport
    compose: dict[str, Any]

    def write(self) -> None:
        (self.folder / "compose.yml").write_text(json.dumps(self.compose), encoding="utf-8")

    def change(self, service: str, **environment: str) -> None:
        """Another environment for a service: what makes it another one."""
        self.compose["services"][service]["environment"].update(environment)
        self.write()

    def homeport(self, *words: str, code: int | None = 0, timeout: float = 240) -> Outcome:
        """Run a command with ``--json -``; whatever happens, it is no bug of its own."""
        done = self.run([*words, "--json", "-"], self.folder, dict(self.env), timeout)
        assert "a bug in homeport" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stderr}"
        return Outcome(done.returncode, done.stderr, json.loads(done.stdout or "{}"))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, for something to happen to it."""
        return subprocess.Popen(
            [sys.executable, "-m", "homeport", *words],
            cwd=self.folder,
            env={**os.environ, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def deploy_until(self, event: str, *words: str) -> Running:
        """Start a deploy, and come back as soon as it says that this has happened."""
        process, said = self.start("deploy", *words), []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.split()[2:3] == [event]:
                return Running(process, "".join(said))
        raise AssertionError(f"it ended without {event!r}:\n{''.join(said)}")

    def containers(self) -> dict[str, str]:
        """By name the state of everything in the project."""
        own = f"label=com.docker.compose.project={self.name}"
        found = leftovers.listed("ps", "--all", "--filter", own, "--format", "{{.Names}} {{.State}}")
        return dict(line.split(" ", 1) for line in found)

    def replicas(self, service: str = "app") -> list[str]:
        """The names of the containers that are replicas of a service, running or not."""
        return leftovers.listed(
            "ps", "--all", "--filter", f"label=com.docker.compose.project={self.name}",
            "--filter", "label=io.homeport.role=replica", "--filter", f"label=io.homeport.service={service}",
            "--format", "{{.Names}}",
        )  # fmt: skip

    def noted(self, *services: str) -> Counter[str]:
        """How often each body that was posted came to a replica, whichever it was."""
        names = [name for service in services or ("app",) for name in self.replicas(service)]
        lines = [line for name in names for line in docker("logs", name).splitlines()]
        return Counter(line.split()[1] for line in lines if line.startswith("note "))

    @contextlib.contextmanager
    def load(
        self,
        seconds: float | None = None,
        rate: float = 150,
        kinds: str = "new,keep,post,slow,tcp",
        beside: str = "app",
        *,
        tls: bool = False,
    ) -> Iterator[Load]:
        """Callers from this machine and, of the service ``beside``, from a container, both all the time.

        For so many seconds, else until the block has ended.
        """
        words = [
            *("--seconds", str(seconds or _MOST_SECONDS), "--rate", str(rate)),
            *("--kinds", kinds, "--sockets", "2", *(["--tls"] if tls else [])),
        ]
        outside = subprocess.Popen(
            [sys.executable, str(TRAFFIC / "load.py"), "127.0.0.1", str(self.port), *words],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        sibling = subprocess.Popen(
            ["docker", "run", "--rm", f"--name={self.name}-caller-{secrets.token_hex(2)}",
             f"--network={self.name}_default", "--entrypoint=python3", self.image, "/load.py", beside, "8000",
             *words],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )  # fmt: skip
        load = Load([])
        try:
            yield load
        finally:
            for process in (outside, sibling):
                if seconds is None:
                    process.terminate()  # "docker run" passes it on
            for process in (outside, sibling):
                text, _ = process.communicate(timeout=(seconds or 0) + 90)
                load.results.append(json.loads(text))


@dataclass
class Load:
    """What callers saw, after the end of the load."""

    results: list[dict[str, Any]]

    @property
    def sent(self) -> int:
        return sum(kind["sent"] for result in self.results for kind in result["kinds"].values())

    @property
    def failures(self) -> list[Any]:
        return [failure for result in self.results for failure in result["failures"]]

    @property
    def versions(self) -> set[str]:
        return {version for result in self.results for version in result["versions"]}

    @property
    def kinds(self) -> list[set[str]]:
        """What each caller sent of."""
        return [set(result["kinds"]) for result in self.results]

    @property
    def cut(self) -> list[tuple[float, float]]:
        """WebSockets that ended by themselves: when each was opened, and last answered."""
        return [(opened, heard) for result in self.results for opened, heard in result["cut"]]

    @property
    def posted(self) -> list[str]:
        return [name for result in self.results for name in result["posted"]]


MakeStack = Callable[..., LiveStack]


@pytest.fixture(scope="session")
def service_image(
    base_images: Mapping[str, str], docker_session: DockerSession, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The image of the small service of tests/support/traffic."""
    name = docker_session.name("service:1")
    base = base_images.get("PYTHON_IMAGE", "python:3.12-slim")
    text = (
        f"FROM {base}\nCOPY service.py load.py /\nEXPOSE 8000 9000\n"
        f'LABEL {docker_session.label}\nENTRYPOINT []\nCMD ["python3", "/service.py"]\n'
    )
    file = tmp_path_factory.mktemp("service") / "Dockerfile"
    file.write_text(text, encoding="utf-8")
    docker("build", "--quiet", "--tag", name, "--file", str(file), str(TRAFFIC))
    return name


@pytest.fixture
def stack(
    sandbox: Any,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    base_images: Mapping[str, str],
    service_image: str,
) -> Iterator[MakeStack]:
    """Makes a stack with the service "app", changed as the arguments say, and removes it at the end."""
    made: list[LiveStack] = []

    def make(app: Mapping[str, Any] | None = None, **services: Mapping[str, Any]) -> LiveStack:
        name = docker_session.name(secrets.token_hex(2))
        port = _free_ports()
        common = {"image": service_image, "labels": [docker_session.label], "stop_grace_period": "5s"}
        own = {
            **common,
            "ports": [f"127.0.0.1:{port}:8000", f"127.0.0.1:{port + 1000}:9000"],
            "environment": {"VERSION": "1", "START_SECONDS": "0.5"},
            "healthcheck": {"test": CHECK, "interval": "30s"},
            **(app or {}),
        }
        others = {other: {**common, "environment": {}, **spec} for other, spec in services.items()}
        folder = sandbox({"README": ""}, name)
        env = {key: value for key, value in base_images.items() if key == "HAPROXY_IMAGE"}
        document = {"name": name, "services": {"app": own, **others}}
        found = LiveStack(folder, name, port, service_image, env, run_homeport, document)
        found.write()
        made.append(found)
        return found

    yield make
    for one in made:
        project = f"label=com.docker.compose.project={one.name}"
        if names := leftovers.listed("ps", "--all", "--quiet", "--filter", project):
            docker("rm", "--force", "--volumes", *names)
        # The engine has some thirty networks to give away, and no more.
        own = f"label=com.docker.compose.project={one.name}"
        if networks := docker("network", "ls", "--quiet", "--filter", own):
            docker("network", "rm", *networks.split())
        volumes = [
            *docker("volume", "ls", "--quiet", "--filter", own).split(),
            *docker("volume", "ls", "--quiet", "--filter", f"name=homeport-{one.name}-").split(),
        ]
        if volumes:
            docker("volume", "rm", *volumes)


def _free_ports() -> int:
    """A port that is free, with the three after it and the one 1000 above it.

    Each process that runs tests has 1000 of its own, below those that the system gives to callers (Linux:
    from 32768): such a one is free now, and taken a moment later.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(100):
        port = 12000 + 2000 * worker + 4 * secrets.randbelow(250)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for one in (*range(port, port + 4), port + 1000):
                held.enter_context(socket.socket()).bind(("127.0.0.1", one))
            return port
    raise AssertionError("No port is free.")
