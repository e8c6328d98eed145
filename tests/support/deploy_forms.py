"""Services in forms that follow one another, and what is asked of a stack between two of them."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

from engine_fixtures import run_program
from live_stack import LiveStack

QUICK: dict[str, Any] = {"healthcheck": {"test": ["CMD", "true"], "interval": "30s"}}
BAD: dict[str, Any] = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 2}}
WRITES = "while :; do echo $$HOSTNAME >> /data/log; sleep 0.05; done"


def worker(words: str = "sleep 1000", **more: Any) -> dict[str, Any]:
    """A service that serves no port."""
    quick = {"entrypoint": ["sh", "-c", words], "stop_grace_period": "1s", "x-homeport": {"ports": []}}
    return {**QUICK, **quick, **more}


def answers(stack: LiveStack) -> str:
    """The version that the service "app" says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/", timeout=10) as answer:
        return str(json.load(answer)["version"])


def listens(port: int) -> bool:
    """Whether anything takes connections at a port of this machine."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def publish(made: LiveStack, **ports: int) -> None:
    """From now on these services are published there, and nowhere else."""
    for name, port in ports.items():
        made.compose["services"][name]["ports"] = [f"127.0.0.1:{port}:8000"] if port else []
    made.write()


def running(stack: LiveStack, service: str) -> list[str]:
    states = stack.containers()
    return [name for name in stack.replicas(service) if states[name].startswith(("running", "restarting"))]


def paused(name: str) -> None:
    """Pause a container. While a health check of it begins, the kernel may refuse ("unable to freeze")."""
    for _ in range(20):
        if run_program(["docker", "pause", name], Path.cwd()).returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"{name} can't be paused")


def killed_at(stack: LiveStack, event: str) -> None:
    deploy = stack.deploy_until(event)
    deploy.process.kill()
    deploy.end(None)


def renamed(made: LiveStack, old: str, new: str, **changes: Any) -> None:
    """The service ``old`` is called ``new`` from now on."""
    services = made.compose["services"]
    services[new] = {**services.pop(old), **changes}
    made.write()
