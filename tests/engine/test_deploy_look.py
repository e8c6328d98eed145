"""Looking at a stack that runs, and taking it away."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from engine_fixtures import docker
from live_stack import MakeStack

QUICK = {"healthcheck": {"test": ["CMD", "true"], "interval": "30s"}}


def test_logs_are_those_of_what_serves(stack: MakeStack) -> None:
    made = stack(QUICK, beside={**QUICK, "expose": ["8000"], "environment": {"VERSION": "7"}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    said = made.run(["logs"], made.folder, dict(made.env), 60).stdout
    assert "version 2 listens" in said
    assert "version 7 listens" in said
    assert "version 1 listens" not in said
    only = made.run(["logs", "--services", "beside", "--lines", "1"], made.folder, dict(made.env), 60).stdout
    assert "version 7 listens" in only
    assert "version 2" not in only
    wrong = made.run(["logs", "--services", "besides"], made.folder, dict(made.env), 60)
    assert wrong.returncode == 2
    assert "did you mean 'beside'?" in wrong.stderr


def test_down_keeps_volumes_and_releases_and_a_deploy_brings_everything_back(stack: MakeStack) -> None:
    made = stack({**QUICK, "volumes": ["data:/data"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    docker("exec", *(name for name in made.containers() if "-r" in name), "sh", "-c", "echo kept >/data/x")
    down = made.run(["down"], made.folder, dict(made.env), 60)
    assert down.returncode == 0
    assert "Volumes and the list of releases are kept" in down.stdout
    assert made.containers() == {}
    assert [one["id"] for one in made.homeport("releases").document["releases"]] == ["r1"]
    again = made.homeport("deploy")  # it had a front, and has one again
    assert again.document["release"]["id"] == "r2"
    names = list(made.containers())
    assert any(".front" in name for name in names)
    inside = docker("exec", *(name for name in names if "-r" in name), "cat", "/data/x")
    assert inside.strip() == "kept"


def test_a_report_with_what_a_probe_saw(stack: MakeStack, tmp_path: Path) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    words = ("--report", str(tmp_path), "--probe", f"http://127.0.0.1:{made.port}/")
    done = made.homeport("deploy", *words)
    assert "none failed" in done.said
    written = json.loads((tmp_path / "deploy.json").read_text(encoding="utf-8"))
    assert written["release"]["id"] == done.document["release"]["id"] == "r2"
    assert done.document["probe"] == written["probe"]
    ElementTree.parse(tmp_path / "deploy.svg")  # noqa: S314 - our own
    page = (tmp_path / "deploy.html").read_text(encoding="utf-8")
    assert "r2 deployed" in page
    made.change("app", CRASH="1")
    made.homeport("deploy", *words, code=3)
    assert "crashing, as told" in (tmp_path / "deploy.html").read_text(encoding="utf-8")
    assert "password" in made.homeport("deploy", "--probe", "http://me:secret@127.0.0.1/", code=2).said
