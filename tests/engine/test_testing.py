"""``homeport test`` on a real engine: unit tests of both kinds, a stack, tests of the stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import leftovers
from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker, run_program

APP = """\
import http.server


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from here")


def add(one, two):
    return one + two


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
"""
UNIT = """\
import os
from app import add


def test_add():
    assert add(1, 2) == 3
    assert os.getuid() != 0
"""
STACK = """\
import urllib.request


def test_the_fixture(homeport_stack):
    with urllib.request.urlopen(homeport_stack.url("api", "/from-a-test")) as answer:
        assert b"hello" in answer.read()


def test_as_for_pytest_docker(docker_services, docker_ip):
    port = docker_services.port_for("api", 8000)
    assert urllib.request.urlopen(f"http://{docker_ip}:{port}/").status == 200
"""
CHECK = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"


@dataclass
class Repository:
    """A repository in ``folder``, whose stack is called ``name``."""

    folder: Path
    name: str
    run: RunHomeport
    compose: dict[str, Any] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def save(self) -> None:
        self.write("compose.json", json.dumps(self.compose))
        self.write("compose.yml", json.dumps(self.compose))

    def test(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What ``test --json -`` says."""
        done = self.run(["test", *words, "--json", "-"], self.folder)
        assert done.returncode == code, done.stderr
        assert "a bug in homeport" not in done.stderr
        found: dict[str, Any] = {"said": done.stderr, **json.loads(done.stdout or "{}")}
        return found

    def outcomes(self, *words: str, code: int = 0) -> dict[str, str]:
        return {
            f"{check['kind']} {check['name']}": check["outcome"]
            for check in self.test(*words, code=code)["checks"]
        }

    def left(self) -> list[str]:
        """What there is in the engine of projects that were started for a test."""
        found = []
        for kind in ("container", "network", "volume"):
            every = ["--all"] if kind == "container" else []
            label = "label=io.homeport.test.run"
            lines = leftovers.listed(kind, "ls", *every, "--filter", label, "--format", "{{json .}}")
            found += [line for line in lines if self.name in line]
        return found


MakeRepository = Callable[..., Repository]


@pytest.fixture
def repository(
    sandbox: Sandbox, run_homeport: RunHomeport, docker_session: DockerSession, base_images: Mapping[str, str]
) -> Iterator[Repository]:
    base = base_images.get("PYTHON_IMAGE", "python:3.12-slim")
    name = docker_session.name(f"tested-{os.urandom(3).hex()}")
    head = f"FROM {base} AS base\nLABEL {docker_session.label}\nENTRYPOINT []\nWORKDIR /app\nCOPY app.py ./\n"
    files = {
        "api/app.py": APP,
        "api/Dockerfile": f'{head}RUN useradd -m app\nUSER app\nCMD ["python3", "app.py"]\n',
        "api/tests/test_app.py": f"# {name}\n{UNIT}",
        "web/app.py": APP,
        "web/Dockerfile": f'{head}FROM base AS test\nRUN python3 -c "import app"\n'
        'FROM base\nCMD ["python3", "app.py"]\n',
        "tests/integration/test_stack.py": STACK,
        "pytest.ini": "[pytest]\n",
    }
    made = Repository(sandbox(files, name), name, run_homeport)
    health = {"test": ["CMD", "python3", "-c", CHECK], "interval": "30s"}
    services = {
        "api": {"build": "./api", "image": f"{name}-api", "ports": ["8000"], "healthcheck": health},
        "web": {"build": "./web", "image": f"{name}-web", "expose": ["8000"]},
    }
    made.compose = {"name": name, "services": services}
    made.save()
    yield made
    assert made.left() == []


def test_everything_passes_and_nothing_is_left(repository: Repository, tmp_path: Path) -> None:
    repository.compose["services"]["once"] = {
        "image": f"{repository.name}-web",
        "command": "true",
        "restart": "no",
    }
    repository.save()
    report = tmp_path / "report"
    found = repository.test("--report", str(report))
    assert {f"{one['kind']} {one['name']}": one["outcome"] for one in found["checks"]} == {
        "unit api": "passed",
        "unit web": "passed",
        "smoke api": "passed",
        "smoke web": "passed",
        "smoke once": "passed",
        "smoke api:8000": "passed",
        "integration tests.integration.test_stack::test_the_fixture": "passed",
        "integration tests.integration.test_stack::test_as_for_pytest_docker": "passed",
    }
    assert found["checks"][0]["detail"].startswith("1 passed")
    suites = ElementTree.parse(report / "junit.xml").getroot()  # noqa: S314 - our own
    assert suites.get("tests") == "8"
    assert suites.get("failures") == "0"
    assert "asked for /from-a-test" in (report / "logs" / "api-1.log").read_text(encoding="utf-8")
    # What has the same inputs has passed already; unless the engine lost what it had cached of it.
    as_before = ["as before: nothing that counts has changed"] * 2
    again = (repository.test("--only", "unit") for _ in range(3))
    assert any([one["detail"] for one in found["checks"]] == as_before for found in again)


def test_a_stack_that_runs_is_not_touched(repository: Repository) -> None:
    api = repository.compose["services"]["api"]
    api |= {
        "container_name": f"{repository.name}-fixed",
        "ports": ["127.0.0.1:11999:8000"],
        "volumes": ["data:/data", "./live:/live"],
        "networks": {"inner": {"ipv4_address": "10.213.77.5"}},
    }
    addresses = {"config": [{"subnet": "10.213.77.0/24"}]}
    repository.compose |= {
        "volumes": {"data": {"name": f"{repository.name}-data"}},
        "networks": {"inner": {"name": f"{repository.name}-inner", "ipam": addresses}},
    }
    repository.save()
    repository.run(["build"], repository.folder)
    docker("compose", "--project-directory", str(repository.folder), "up", "--detach", "api")
    try:
        before = docker("inspect", f"{repository.name}-fixed")
        found = repository.test("--only", "smoke")
        assert found["ok"]
        assert any("is an empty volume for api" in warning for warning in found["warnings"])
        after = docker("inspect", f"{repository.name}-fixed")
        assert json.loads(after)[0]["State"] == json.loads(before)[0]["State"]
    finally:
        docker("compose", "--project-directory", str(repository.folder), "down", "--volumes")


def test_unit_tests_that_fail_hang_or_are_not_there(repository: Repository) -> None:
    repository.write("api/tests/test_app.py", "def test_it():\n    assert 'this' == 'that'\n")
    dockerfile = (repository.folder / "web/Dockerfile").read_text(encoding="utf-8")
    slow = f'RUN echo "about to hang {repository.name}" && sleep 600'
    repository.write("web/Dockerfile", dockerfile.replace('RUN python3 -c "import app"', slow))
    repository.write("homeport.toml", "[test]\nlimit = 30\n")
    began = time.monotonic()
    found = repository.test("--only", "unit", code=1)
    assert time.monotonic() - began < 120
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["api"]["outcome"] == "failed"
    assert "1 failed" in by_name["api"]["detail"]
    assert "assert 'this' == 'that'" in "\n".join(by_name["api"]["log"])
    assert by_name["web"]["detail"] == "no end after 30 s"
    assert "about to hang" in "\n".join(by_name["web"]["log"])

    repository.write("web/Dockerfile", dockerfile.replace("FROM base AS test", "FROM base AS other"))
    repository.write("api/tests/test_app.py", "# nothing yet\n")
    found = repository.test("--only", "unit")
    assert {check["outcome"] for check in found["checks"]} == {"no tests"}
    assert "api, web: no tests" in found["said"]
    strict = repository.test("--only", "unit", "--strict", code=1)
    assert "no tests, which is a failure with --strict." in strict["said"].splitlines()[-1]


def test_what_changes_without_a_trace_is_said(repository: Repository) -> None:
    """As `rsync --times` leaves it. BuildKit then goes on with what it was sent before."""
    dockerfile = (repository.folder / "web/Dockerfile").read_text(encoding="utf-8")
    stage = dockerfile.replace('RUN python3 -c "import app"', "COPY check.sh ./\nRUN sh check.sh")
    repository.write("web/Dockerfile", stage)
    unit = repository.folder / "api/tests/test_app.py"
    good = unit.read_text(encoding="utf-8")
    for script, text, named in (("exit 0", good, 0), ("exit 1", good.replace("== 3", "== 4"), 2)):
        repository.write("web/check.sh", f"# {repository.name}\n{script}\n")
        repository.write("api/tests/test_app.py", text)
        for path in (unit, repository.folder / "web/check.sh"):
            os.utime(path, (1_600_000_000, 1_600_000_000))
        found = repository.test("--only", "unit")
        stale = [one for one in found["warnings"] if "size and time as before" in one]
        assert [one.partition(" ")[0] for one in stale] == ["api/tests/test_app.py", "web/check.sh"][:named]
    passed = [one["outcome"] for one in found["checks"]]
    assert passed == ["passed"] * 2, "BuildKit notices by itself: this need not be looked for any more"
    for path in (unit, repository.folder / "web/check.sh"):
        os.utime(path)
    assert {one["outcome"] for one in repository.test("--only", "unit", code=1)["checks"]} == {"failed"}


def test_a_service_with_dots_in_its_name(repository: Repository) -> None:
    """Bake's target of it has none, but takes the name."""
    repository.compose["services"]["my.web"] = repository.compose["services"].pop("web")
    repository.save()
    found = repository.test("--only", "unit", "--targets", "my.web")
    assert [(one["name"], one["outcome"]) for one in found["checks"]] == [("my_web", "passed")]


def test_a_service_that_is_not_well_is_shown_with_its_log(repository: Repository) -> None:
    api = repository.compose["services"]["api"]
    repository.compose["services"]["web"]["depends_on"] = {"api": {"condition": "service_healthy"}}
    api |= {"command": ["sh", "-c", "echo no database here; sleep 1000"]}
    repository.save()
    repository.write("homeport.toml", "[test]\nstart = 8\n")
    found = repository.test("--only", "smoke,integration", code=1)
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["api"]["outcome"] == "failed"
    assert "no database here" in "\n".join(by_name["api"]["log"])
    assert by_name["web"]["outcome"] == "left out"
    assert by_name["tests/integration"]["outcome"] == "left out"

    api |= {"command": ["sh", "-c", "echo bad luck; exit 3"]}
    repository.save()
    by_name = {check["name"]: check for check in repository.test("--only", "smoke", code=1)["checks"]}
    assert by_name["api"]["detail"] == "it ended with exit code 3"
    assert by_name["api"]["log"] == ["bad luck"]


def test_probes(repository: Repository) -> None:
    repository.write(
        "homeport.toml",
        '[test.probes.api]\nhttp = "/x"\ncontains = "hello"\n'
        '[test.probes.inner]\nservice = "web"\nport = 8000\n'
        '[test.probes.status]\nservice = "api"\nhttp = "/x"\nstatus = 418\n'
        '[test.probes.nobody]\nservice = "web"\nport = 9999\n',
    )
    assert repository.outcomes("--only", "smoke", code=1) == {
        "smoke api": "passed",
        "smoke web": "passed",
        "smoke inner": "passed",
        "smoke status": "failed",
        "smoke nobody": "failed",
    }
    repository.write("homeport.toml", '[test.probes.apu]\nhttp = "/x"\n')
    assert "did you mean 'api'?" in repository.test("--only", "smoke", code=2)["said"]


def test_integration_tests_that_fail_say_what_the_services_said(repository: Repository) -> None:
    body = "urllib.request.urlopen(homeport_stack.url('api', '/wrong-page'))\n    raise AssertionError('no')"
    text = f"import urllib.request\n\n\ndef test_it(homeport_stack):\n    {body}\n"
    repository.write("tests/integration/test_stack.py", text)
    checks = repository.test("--only", "integration", code=1)["checks"]
    (check,) = (one for one in checks if one["kind"] == "integration")
    assert check["outcome"] == "failed"
    assert "AssertionError: no" in check["detail"]
    assert "asked for /wrong-page" in "\n".join(check["log"])
    repository.write("tests/integration/test_stack.py", "# none\n")
    assert repository.outcomes("--only", "integration")["integration pytest"] == "no tests"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_test_that_is_stopped(repository: Repository, number: signal.Signals) -> None:
    text = "import time\n\n\ndef test_it(homeport_stack):\n    time.sleep(600)\n"
    repository.write("tests/integration/test_stack.py", text)
    argv = [sys.executable, "-m", "homeport", "test", "--only", "smoke,integration"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    process = subprocess.Popen(
        argv,
        cwd=repository.folder,
        **pipes,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "api:8000" in line:
            break
    assert repository.left(), "".join(said)
    process.send_signal(number)
    if number == signal.SIGINT:
        time.sleep(0.7)  # who is impatient asks once more
        process.send_signal(number)
    rest, _ = process.communicate(timeout=90)
    if number == signal.SIGKILL:
        # The next run sweeps it, if no other one on this machine was quicker with that.
        repository.test("--only", "smoke")
    else:
        assert process.returncode == 130, "".join(said) + rest
    assert repository.left() == []


def test_two_at_once(repository: Repository) -> None:
    repository.run(["build"], repository.folder)
    argv = [sys.executable, "-m", "homeport", "test", "--only", "smoke", "--no-build"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    both = [subprocess.Popen(argv, cwd=repository.folder, **pipes) for _ in range(2)]
    for one in both:
        said, _ = one.communicate(timeout=120)
        assert one.returncode == 0, said.decode()


def test_pytest_alone_starts_the_stack_and_cleans_up_even_if_that_fails(repository: Repository) -> None:
    repository.run(["build"], repository.folder)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--homeport", "tests/integration"]
    done = run_program(argv, repository.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert repository.left() == []
    repository.compose["services"]["web"]["command"] = ["sh", "-c", "echo broken; exit 1"]
    repository.save()
    done = run_program(argv, repository.folder)
    assert done.returncode == 1
    assert "web: it ended with exit code 1" in done.stdout
    assert "broken" in done.stdout
    assert repository.left() == []
    # Who doesn't ask for it has nothing of it.
    done = run_program([*argv[:-2], "tests/integration"], repository.folder)
    assert "fixture 'homeport_stack' not found" in done.stdout


def test_only_what_a_change_can_affect(repository: Repository) -> None:
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        run_program(["git", *words], repository.folder)
    repository.test("--only", "unit")
    repository.write("api/app.py", APP + "\n# changed\n")
    found = repository.test("--only", "unit", "--changed-since", "HEAD")
    assert [check["name"] for check in found["checks"]] == ["api"]
    run_program(["git", "commit", "--all", "--quiet", "--message", "two"], repository.folder)
    assert repository.test("--only", "unit", "--changed-since", "HEAD")["checks"] == []


def test_what_only_the_stage_with_the_tests_reads_counts_too(repository: Repository) -> None:
    text = (repository.folder / "web/Dockerfile").read_text(encoding="utf-8")
    stage = text.replace('RUN python3 -c "import app"', "COPY check.sh ./\nRUN sh check.sh")
    assert stage != text
    repository.write("web/Dockerfile", stage)
    repository.write("web/check.sh", "true\n")
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        run_program(["git", *words], repository.folder)
    repository.test("--only", "unit")
    repository.write("web/check.sh", "false\n")
    since = ("--only", "unit", "--changed-since", "HEAD")
    checks = repository.test(*since, code=1)["checks"]
    assert [(check["name"], check["outcome"]) for check in checks] == [("web", "failed")]
    repository.write("web/check.sh", "true\n")
    assert repository.test(*since)["checks"] == []
    # How tests run is in the settings: that is about all of them.
    repository.write("homeport.toml", "[test]\nlimit = 300\n")
    assert {check["name"] for check in repository.test(*since)["checks"]} >= {"api", "web"}


def test_a_build_that_fails_is_no_pass(repository: Repository) -> None:
    repository.write("web/Dockerfile", "FROM scratch\nCOPY nothing /\n")
    found = repository.test("--only", "unit", code=1)
    assert "nothing was tested" in found["error"]["what"]
    found = repository.test("--only", "unit", "--keep-going", code=1)
    outcomes = {check["name"]: check["outcome"] for check in found["checks"]}
    assert outcomes == {"api": "passed", "web": "left out"}
    assert "error: What was tested is well, but this can't be built: web." in found["said"]


def test_a_name_in_env_does_not_make_it_the_stack_that_runs(repository: Repository) -> None:
    live = f"{repository.name}-live"
    repository.write(".env", f"COMPOSE_PROJECT_NAME={live}\n")
    repository.compose.pop("name")
    repository.compose["services"]["api"]["volumes"] = ["data:/data"]
    repository.compose["volumes"] = {"data": {}}
    repository.save()
    repository.run(["build"], repository.folder)
    docker("compose", "--project-directory", str(repository.folder), "up", "--detach")
    try:
        before = docker("inspect", f"{live}-api-1", f"{live}-web-1")
        repository.test("--only", "smoke", "--no-build")
        after = docker("inspect", f"{live}-api-1", f"{live}-web-1")
        assert [one["Id"] for one in json.loads(after)] == [one["Id"] for one in json.loads(before)]
        assert {one["State"]["StartedAt"] for one in json.loads(after)} == {
            one["State"]["StartedAt"] for one in json.loads(before)
        }
    finally:
        docker("compose", "--project-directory", str(repository.folder), "down", "--volumes")


DIES = (
    "import socket; socket.create_server(('', 9000)).accept(); print('gone', flush=True); raise SystemExit(7)"
)
ENDS_IT = """\
import socket
import time


def test_it(homeport_stack):
    socket.create_connection(homeport_stack.address("dies")).close()
    time.sleep(1)
"""


def test_what_is_well_at_first_has_to_stay_so(repository: Repository) -> None:
    services = repository.compose["services"]
    image = {"image": f"{repository.name}-web"}
    services["worker"] = {**image, "command": "sleep 1000"}  # it serves nothing, and is no one-shot
    services["dies"] = {**image, "command": ["python3", "-c", DIES], "ports": ["9000"]}
    services["silent"] = {**image, "command": "true", "expose": ["1"]}
    repository.save()
    repository.write("homeport.toml", '[test.probes.api]\nhttp = "/"\n')  # by default the port is tried, too
    repository.write("tests/integration/test_stack.py", ENDS_IT)
    by_name = {one["name"]: one for one in repository.test("--only", "smoke,integration", code=1)["checks"]}
    assert by_name["silent"]["outcome"] == "failed"
    del services["silent"]
    repository.save()
    by_name = {one["name"]: one for one in repository.test("--only", "smoke,integration", code=1)["checks"]}
    assert by_name["worker"]["outcome"] == "passed"
    assert by_name["dies"]["detail"] == "it was well at first, then it ended with exit code 7"
    assert by_name["dies"]["log"] == ["gone"]
    assert by_name["tests.integration.test_stack::test_it"]["outcome"] == "passed"


def test_a_service_without_a_name_for_its_image_is_tested_as_it_is_built(repository: Repository) -> None:
    repository.compose["services"]["api"].pop("image")
    repository.save()
    checks = repository.test("--only", "unit", "--targets", "api")["checks"]
    assert [check["outcome"] for check in checks] == ["passed"]  # it asserts that it isn't root


def test_tests_that_changed_are_run_though_the_image_did_not(repository: Repository) -> None:
    repository.write("api/.dockerignore", "tests\n")
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        run_program(["git", *words], repository.folder)
    repository.test("--only", "unit")
    repository.write("api/tests/test_more.py", "def test_more():\n    assert False\n")
    checks = repository.test("--only", "unit", "--changed-since", "HEAD", code=1)["checks"]
    assert [(check["name"], check["outcome"]) for check in checks] == [("api", "failed")]
    assert "needs the build" in repository.test("--no-build", "--changed-since", "HEAD", code=2)["said"]


def test_what_is_wrong_is_said_before_anything_is_built(repository: Repository) -> None:
    repository.write("web/Dockerfile", "FROM scratch\nCOPY nothing /\n")
    repository.write("homeport.toml", '[test.probes.apu]\nhttp = "/x"\n')
    assert "did you mean 'api'?" in repository.test(code=2)["said"]
    repository.write("homeport.toml", "[test]\nstart = 0\n")
    assert "more than 0" in repository.test(code=2)["said"]
    plan = repository.test("--dry-run", code=2)
    assert plan["error"]["exit_code"] == 2
