"""Bad input and bad luck, on a real engine: one clear message, the right exit code, nothing left over."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker

BAKE = 'target "default" {\n  context = "."\n}\n'
SOUND = {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"}


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Check exit code and that there is no traceback; returns standard error."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("files", "args", "said"),
    [
        ({}, [], "There is no bake file and no Compose file"),
        ({"docker-bake.hcl": 'target "a" {\n  context = \n}\n'}, [], "docker-bake.hcl:2"),
        (
            {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"},
            ["--targets", "defualt"],
            "did you mean 'default'?",
        ),
        (
            {
                "docker-bake.hcl": 'target "default" {\n  contexts = { x = "target:b" }\n}\n'
                'target "b" {\n  contexts = { x = "target:c" }\n}\n'
                'target "c" {\n  contexts = { x = "target:default" }\n}\n',
                "Dockerfile": "FROM x\n",
            },
            [],
            "default -> b -> c -> default",
        ),
        (
            {
                "docker-bake.hcl": 'group "default" {\n targets = ["a", "b"]\n}\ntarget "a" {\n'
                ' context = "a"\n tags = ["t/a"]\n}\ntarget "b" {\n context = "b"\n tags = ["t/b"]\n}\n',
                "a/Dockerfile": "FROM t/b\n",
                "b/Dockerfile": "FROM t/a\n",
            },
            [],
            "circle",
        ),
        ({"compose.yml": "services:\n  a: {image: x}\n"}, [], "There is nothing to build"),
        (
            {
                "docker-bake.hcl": 'target "default" {\n  contexts = { up = ".." }\n}\n',
                "Dockerfile": "FROM x\n",
            },
            ["--dry-run"],
            "fs.read=..",
        ),
        (
            {
                "docker-bake.hcl": 'target "default" {\n  entitlements = ["network.host"]\n}\n',
                "Dockerfile": "#",
            },
            [],
            "network.host",
        ),
        ({"docker-bake.hcl": BAKE}, [], "its Dockerfile 'Dockerfile' is not there"),
        (
            {"docker-bake.hcl": 'target "default" {\n  context = "gone"\n}\n'},
            [],
            "its context 'gone' is not there",
        ),
        (
            {"docker-bake.hcl": 'target "default" {\n  tags = ["${NOWHERE}"]\n}\n'},
            [],
            'no variable named "NOWHERE"',
        ),
        (
            {"compose.yml": "services:\n  a:\n    build: .\n    image: ${NOWHERE:?is needed}\n"},
            [],
            "NOWHERE is missing a value: is needed",
        ),
        (
            {
                "compose.yml": "include: [one.yml]\nservices:\n  a: {build: .}\n",
                "one.yml": "services:\n  a: {image: x}\n",
            },
            [],
            "conflicts with imported resource",
        ),
        (
            {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"},
            ["--file", "no.hcl"],
            "There is no file 'no.hcl'",
        ),
        (
            {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"},
            ["--builder", "nobody"],
            "no builder named 'nobody'",
        ),
        (
            {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"},
            ["--push"],
            "has no tag, so it can't be pushed",
        ),
        (
            {"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"},
            ["--targets=--help"],
            "no target or group named '--help'",
        ),
    ],
)
def test_found_before_anything_is_touched(
    files: dict[str, str], args: list[str], said: str, sandbox: Sandbox, run_homeport: RunHomeport
) -> None:
    errors = failed(run_homeport(["build", *args], sandbox({**files, ".keep": ""})), 2)
    assert said in errors
    assert " next: " in errors


def test_engine_not_running(sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path) -> None:
    folder = sandbox({"docker-bake.hcl": BAKE, "Dockerfile": "FROM x\n"})
    done = run_homeport(["build"], folder, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "The Docker engine doesn't answer" in failed(done, 2)


def test_no_docker_on_path(sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path) -> None:
    done = run_homeport(["build"], sandbox({"docker-bake.hcl": BAKE}), env={"PATH": str(tmp_path)})
    assert "'docker' was not found" in failed(done, 2)


def test_an_engine_that_is_too_old(sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path) -> None:
    """No old engine can be had here: a stand-in for the docker command says what one would."""
    document = {"ServerVersion": "20.10.24", "ClientInfo": {"Plugins": []}}
    fake = tmp_path / "bin" / "docker"
    fake.parent.mkdir()
    fake.write_text(f"#!{sys.executable}\nprint('''{json.dumps(document)}''')\n", encoding="utf-8")
    fake.chmod(0o755)
    # The socket that isn't there: an engine that can be asked directly needs no docker command.
    env = {"PATH": str(fake.parent), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = run_homeport(["build"], sandbox({"docker-bake.hcl": BAKE}), env=env)
    assert "20.10.24 is too old" in failed(done, 2)


def test_a_failed_build_says_where_and_shows_its_log_once(
    sandbox: Sandbox, run_homeport: RunHomeport, tiny_image: str
) -> None:
    folder = sandbox(
        {
            "docker-bake.hcl": 'group "default" {\n targets = ["bad", "child", "good"]\n}\n'
            'target "bad" {\n context = "svc"\n}\n'
            'target "child" {\n context = "svc"\n dockerfile = "child"\n'
            ' contexts = { bad = "target:bad" }\n}\n'
            'target "good" {\n context = "svc"\n dockerfile = "good"\n}\n',
            "svc/Dockerfile": f"FROM {tiny_image} AS compile\nRUN echo fine\n"
            "RUN printf 'caf\\351 \\377 [red]x[/red]\\n' && echo the-last-words && exit 3\n"
            "FROM scratch\nCOPY --from=compile /x /x\n",
            "svc/child": "FROM bad\n",
            "svc/good": f"FROM {tiny_image}\n",
        }
    )
    done = run_homeport(["build", "--keep-going", "--json", "out.json"], folder)
    failed(done, 1)
    end = done.stdout.partition("failed: bad")[2]
    assert "stage compile" in end
    assert "svc/Dockerfile:3" in end
    assert "| caf\ufffd \ufffd [red]x[/red]" in end
    assert done.stdout.count("| the-last-words") == 1
    assert "exit code: 3" in end
    document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert {target["name"]: target["status"] for target in document["targets"]} == {
        "bad": "failed",
        "child": "unbuilt",
        "good": "built",
    }


def test_github_actions_gets_groups_annotations_and_a_summary(
    sandbox: Sandbox, run_homeport: RunHomeport, tiny_image: str, tmp_path: Path
) -> None:
    folder = sandbox(
        {
            "docker-bake.hcl": BAKE,
            "Dockerfile": f"FROM {tiny_image}\n"
            "RUN echo '::error::not-mine'; echo '##[error]nor-this'; false\n",
        }
    )
    summary = tmp_path / "summary.md"
    done = run_homeport(
        ["build"], folder, env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    )
    failed(done, 1)
    lines = done.stdout.splitlines()
    assert any(line.startswith("::group::") for line in lines)
    assert any(line.startswith("::error file=Dockerfile,line=2") for line in lines)
    assert not any(line.lstrip().startswith("::error::not-mine") for line in lines)
    # In an annotation's own text it does no harm: the runner has parsed the line by then.
    assert not any("##[" in line for line in lines if not line.startswith("::error file="))
    assert "default" in summary.read_text(encoding="utf-8")


def processes_with(mark: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for left-over processes in /proc")
@pytest.mark.parametrize(
    ("signals", "code"),
    [([signal.SIGINT], 130), ([signal.SIGTERM], 130), ([signal.SIGINT, signal.SIGINT], 130)],
)
def test_interrupted_leaves_nothing_running(
    signals: list[signal.Signals],
    code: int,
    sandbox: Sandbox,
    tiny_image: str,
    docker_session: DockerSession,
) -> None:
    mark = f"mark-{docker_session.id}-{len(signals)}-{signals[0].value}"
    folder = sandbox(
        {
            "docker-bake.hcl": 'group "default" {\n targets = ["a", "b"]\n}\n'
            + "".join(f'target "{name}" {{\n args = {{ N = "{name}" }}\n}}\n' for name in "ab"),
            "Dockerfile": f"FROM {tiny_image}\nARG N\nRUN echo $N; sleep 300; true {mark}\n",
        }
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "homeport", "build", "--jobs", "2", "--json", "out.json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        wait_until(lambda: len([pid for pid in processes_with(mark) if pid != process.pid]) >= 2)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.05)
        output, _ = process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert "Interrupted" in output
    wait_until(lambda: not processes_with(mark))
    document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert document["interrupted"]
    assert {target["status"] for target in document["targets"]} == {"cancelled"}


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.05)


def test_invoke_runs_the_same_tasks(sandbox: Sandbox, tiny_image: str, docker_session: DockerSession) -> None:
    folder = sandbox(
        {
            "tasks.py": "from homeport.commands import namespace as ns\n",
            "docker-bake.hcl": BAKE,
            "Dockerfile": f"FROM {tiny_image}\nRUN false\n",
        }
    )
    listed = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=folder, capture_output=True, text=True
    )
    assert "build" in listed.stdout
    assert "doctor" in listed.stdout
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "build"], cwd=folder, capture_output=True, text=True
    )
    failed(done, 1)
    assert "failed: default" in done.stdout


def test_doctor(sandbox: Sandbox, run_homeport: RunHomeport, registry: str) -> None:
    folder = sandbox({".keep": ""})
    done = run_homeport(["doctor", "--registry", registry, "--json", "-"], folder)
    assert done.returncode == 0, done.stderr
    findings = {item["name"]: item for item in json.loads(done.stdout)["findings"]}
    assert set(findings) == {
        "engine", "buildx", "compose", "image store", "registry", "disk", "memory", "clock",
    }  # fmt: skip
    assert findings["registry"]["text"] == f"{registry} answers"
    down = run_homeport(["doctor", "--registry", "127.0.0.1:9"], folder)
    assert down.returncode == 1
    assert "next: " in down.stdout


def test_doctor_without_an_engine(sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path) -> None:
    done = run_homeport(["doctor"], sandbox({".keep": ""}), env={"DOCKER_HOST": f"unix://{tmp_path}/x.sock"})
    assert done.returncode == 1
    assert "The Docker engine doesn't answer" in done.stdout
    assert "Traceback" not in done.stderr
    assert docker("version")
