"""``homeport scan`` on images of a real engine. The scanners are stand-ins, see scanner_stand_in.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import scanner_stand_in as stand_in
from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker
from homeport.engine import killed, scanner
from scanner_stand_in import StandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a #! line")


@dataclass(frozen=True)
class Stack:
    """A repository with two built images, and the environment in which a scanner is on PATH."""

    folder: Path
    names: tuple[str, str]
    ids: tuple[str, str]
    run_homeport: RunHomeport
    path: str

    def scan(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.run_homeport(["scan", *words], self.folder, {"PATH": self.path, **(env or {})})

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.scan("--json", "-", *words)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def built(
    docker_session: DockerSession, tiny_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The names of two images that differ."""
    folder = tmp_path_factory.mktemp("images")
    names = (docker_session.name("scan-api:1"), docker_session.name("scan-web:1"))
    for name in names:
        (folder / "Dockerfile").write_text(f"FROM {tiny_image}\nRUN echo {name} > /name\n", encoding="utf-8")
        docker("build", "--quiet", "--label", docker_session.label, "--tag", name, str(folder))
    yield names
    docker("rmi", *names)


@pytest.fixture
def stack(built: tuple[str, str], sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path) -> Stack:
    targets = {
        name: {"context": name, "tags": [tag]} for name, tag in zip(("api", "web"), built, strict=True)
    }
    bake = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    folder = sandbox(
        {
            "docker-bake.json": json.dumps(bake),
            "api/Dockerfile": "FROM scratch\n",
            "web/Dockerfile": "FROM scratch\n",
        }
    )
    api, web = (docker("image", "inspect", "--format", "{{.Id}}", name) for name in built)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    return Stack(folder, built, (api, web), run_homeport, path)


@pytest.fixture
def trivy(tmp_path: Path) -> StandIn:
    return stand_in.trivy(tmp_path, stand_in.FLAW, stand_in.UNFIXED, stand_in.MINOR)


def scans(program: StandIn) -> list[dict[str, Any]]:
    return [call for call in program.calls if any("sha256:" in word for word in call["words"])]


def test_each_image_is_scanned_by_its_id_with_one_database(
    stack: Stack, trivy: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_IGNOREFILE", "everything.txt")
    code, document = stack.json()
    assert code == 1
    assert [one["digest"] for one in document["images"]] == list(stack.ids)
    assert [one["targets"] for one in document["images"]] == [["api"], ["web"]]
    counted = [one for one in document["findings"] if one["state"] == "counts"]
    assert {(one["image"], one["id"]) for one in counted} == {
        (name, id_) for name in stack.names for id_ in ("CVE-2026-0001", "CVE-2026-0002")
    }
    assert sorted(call["words"][-1] for call in scans(trivy)) == sorted(stack.ids)
    assert sum("--download-db-only" in call["words"] for call in trivy.calls) == 1
    assert all("--skip-db-update" in call["words"] for call in scans(trivy))
    # No settings of the repository are near, and none of the environment.
    assert all(call["cwd"] == [] for call in trivy.calls)
    assert not any("TRIVY_IGNOREFILE" in call["variables"] for call in trivy.calls)


def test_one_table_and_one_line(stack: Stack, trivy: StandIn) -> None:
    done = stack.scan("--severity", "critical", "--targets", "api")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    heads = ["image", "package", "id", "severity", "installed", "fixed", "in", "title"]
    start = next(at for at, line in enumerate(lines) if line.split() == heads)
    cells = [stack.names[0], "libssl3", "CVE-2026-0001", "critical", "3.0.1-1", "3.0.2-1", "openssl:"]
    assert lines[start + 1].split()[:7] == cells
    assert "1 image: 1 critical at or above critical; 1 high, 1 low below it." in lines[-1]
    assert "trivy 0.69.3, database of 2026-11-29T06:11:53.123Z" in lines[-1]


def test_nothing_above_the_limit_is_exit_0(stack: Stack, trivy: StandIn) -> None:
    trivy.say(image=stand_in.trivy_report(stand_in.MINOR))
    assert stack.scan().returncode == 0
    assert stack.scan("--severity", "low").returncode == 1


def test_the_second_scan_asks_for_the_database_only(stack: Stack, trivy: StandIn) -> None:
    first = stack.json()
    trivy.forget()
    code, second = stack.json()
    assert (code, second["findings"]) == (first[0], first[1]["findings"])
    assert all(one["cached"] for one in second["images"])
    assert scans(trivy) == []
    trivy.say(version=stand_in.trivy_version("2026-11-30T00:00:00Z"))
    assert not any(one["cached"] for one in stack.json()[1]["images"])
    assert len(scans(trivy)) == 2


def test_a_dry_run_starts_no_scanner(stack: Stack, trivy: StandIn) -> None:
    code, document = stack.json("--dry-run")
    assert code == 0
    assert [one["image"] for one in document["images"]] == list(stack.names)
    assert trivy.calls == []


def test_grype_says_the_same_in_its_own_words(stack: Stack, tmp_path: Path) -> None:
    grype = stand_in.grype(tmp_path, stand_in.grype_match())
    code, document = stack.json("--scanner", "grype")
    assert code == 1
    assert {(one["id"], one["fixed"]) for one in document["findings"]} == {("CVE-2026-0001", "3.0.2-1")}
    assert document["scanner"]["name"] == "grype"
    assert {call["words"][-1] for call in scans(grype)} == {f"docker:{id_}" for id_ in stack.ids}
    assert {call["variables"]["GRYPE_DB_AUTO_UPDATE"] for call in grype.calls} == {"false"}
    assert [call["words"][:2] for call in grype.calls].count(["db", "update"]) == 1


def test_only_what_is_new_fails_with_a_baseline(stack: Stack, trivy: StandIn) -> None:
    written = stack.scan("--write-baseline", "known.json")
    assert written.returncode == 0, written.stderr
    entries = json.loads((stack.folder / "known.json").read_text(encoding="utf-8"))["findings"]
    assert {entry["digest"] for entry in entries} == set(stack.ids)
    assert len(entries) == 6
    done = stack.scan("--baseline", "known.json")
    assert (done.returncode, "in the baseline: 6 findings" in done.stdout) == (0, True)
    fresh = {**stand_in.FLAW, "VulnerabilityID": "CVE-2026-0009"}
    trivy.say(
        image=stand_in.trivy_report(stand_in.FLAW, fresh),
        version=stand_in.trivy_version("2026-11-30T00:00:00Z"),
    )
    code, document = stack.json("--baseline", "known.json")
    assert code == 1
    assert {one["id"] for one in document["findings"] if one["state"] == "counts"} == {"CVE-2026-0009"}


def test_exceptions_of_the_configuration(stack: Stack, trivy: StandIn) -> None:
    (stack.folder / "homeport.toml").write_text(
        """
[scan]
fixable-only = true

[scan.ignore.openssl]
id = "CVE-2026-0001"
packages = ["libssl*"]
targets = ["api"]
reason = "it opens no connection"

[scan.ignore.long-ago]
id = "CVE-2026-0001"
targets = ["web"]
reason = "until the next release"
until = "2020-01-01"

[scan.ignore.typo]
id = "CVE-2026-00001"
reason = "mistyped"
""",
        encoding="utf-8",
    )
    done = stack.scan()
    assert done.returncode == 1
    assert f"ignored: CVE-2026-0001 in {stack.names[0]}: it opens no connection" in done.stdout
    assert "[scan.ignore.long-ago] ended on 2020-01-01: its finding counts again" in done.stdout
    assert "[scan.ignore.typo] ignores nothing" in done.stdout
    assert "1 critical at or above high; 2 low below it; 2 without a fix; 1 ignored." in done.stdout


def test_without_a_bake_file_the_services_images(stack: Stack, trivy: StandIn) -> None:
    (stack.folder / "docker-bake.json").unlink()
    services = {"one": {"image": stack.names[0]}, "two": {"image": stack.names[1]}}
    (stack.folder / "compose.yml").write_text(json.dumps({"services": services}), encoding="utf-8")
    code, document = stack.json("--targets", "two")
    assert code == 1
    assert [(one["image"], one["targets"]) for one in document["images"]] == [(stack.names[1], ["two"])]


def test_an_image_that_was_never_built_is_an_error(stack: Stack, trivy: StandIn) -> None:
    bake = {"target": {"default": {"context": "api", "tags": ["homeport-never-built:1"]}}}
    (stack.folder / "docker-bake.json").write_text(json.dumps(bake), encoding="utf-8")
    done = stack.scan()
    assert done.returncode == 2
    assert "default (homeport-never-built:1)" in done.stderr
    assert "'homeport build' first" in done.stderr
    assert trivy.calls == []


# -- a scanner that can't say is never one that found nothing ----------------------------------------------


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"image": {"stdout": "not JSON"}}, "no whole JSON"),
        ({"image": {"stdout": json.dumps(stand_in.trivy_report(stand_in.FLAW))[:-5]}}, "no whole JSON"),
        ({"image": {"stdout": ""}}, "no whole JSON"),
        ({"image": {"stdout": "{}"}}, "no report of schema version 2"),
        ({"image": {"stderr": "FATAL\tout of memory\n", "code": 1}}, "out of memory"),
        ({"download-db-only": {"stderr": "FATAL\tno route to host\n", "code": 1}}, "no route to host"),
        ({"version": {"Version": "0.69.3"}}, "no vulnerability database"),
    ],
)
def test_a_scanner_that_fails_is_exit_2(
    answers: dict[str, Any], said: str, stack: Stack, trivy: StandIn
) -> None:
    trivy.say(**answers)
    done = stack.scan("--json", "out.json")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((stack.folder / "out.json").read_text(encoding="utf-8"))["error"]["exit_code"] == 2


def test_a_scanner_that_is_missing_is_exit_2(stack: Stack) -> None:
    done = stack.scan("--scanner", "grype")
    assert done.returncode == 2
    assert "grype was not found" in done.stderr


def test_a_scanner_that_hangs_is_stopped(stack: Stack, trivy: StandIn) -> None:
    trivy.say(image={"sleep": 60})
    (stack.folder / "homeport.toml").write_text("[scan]\ntimeout = 2\n", encoding="utf-8")
    started = time.monotonic()
    done = stack.scan()
    assert done.returncode == 2
    assert "didn't end within 2 s" in done.stderr
    assert time.monotonic() - started < 20


def test_the_official_image_is_run_where_there_is_no_program(
    stack: Stack, docker_session: DockerSession, tiny_image: str, tmp_path: Path
) -> None:
    """A stand-in for the image: what it is given (arguments, socket, volume) is what is tested here."""
    report, version = json.dumps(stand_in.trivy_report(stand_in.FLAW)), json.dumps(stand_in.trivy_version())
    script = (
        '#!/bin/sh\ncase "$*" in\n'
        f"*download-db-only*) touch /root/.cache/trivy/db ;;\nversion*) echo '{version}' ;;\n"
        "*) test -S /var/run/docker.sock || exit 3; test -e /root/.cache/trivy/db || exit 4\n"
        "   touch /var/run/docker.sock 2>/dev/null && exit 5\n"
        f"   echo '{report}' ;;\nesac\n"
    )
    (tmp_path / "trivy").write_text(script, encoding="utf-8", newline="\n")
    (tmp_path / "trivy").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(
        f'FROM {tiny_image}\nCOPY trivy /trivy\nENTRYPOINT ["/trivy"]\n', encoding="utf-8"
    )
    name = docker_session.name("trivy-image:1")
    volumes = set(docker("volume", "ls", "--quiet").split())
    docker("build", "--quiet", "--label", docker_session.label, "--tag", name, str(tmp_path))
    try:
        config = f'[scan]\ntrivy-image = "{name}"\n'
        (stack.folder / "homeport.toml").write_text(config, encoding="utf-8")
        code, document = stack.json()
        assert code == 1
        assert len(document["findings"]) == 2
        assert docker("ps", "--all", "--quiet", "--filter", "label=io.homeport.scan=1") == ""
    finally:
        docker("rmi", "--force", name)
        if "homeport-trivy" not in volumes:
            docker("volume", "rm", "--force", "homeport-trivy")


@pytest.mark.parametrize("how", ["late", "interrupted", "killed"])
def test_a_container_of_the_official_image_ends_with_the_scan(
    how: str, stack: Stack, docker_session: DockerSession, tiny_image: str, tmp_path: Path
) -> None:
    """Nothing heeds a signal there, so only taking the container away ends it."""
    version = json.dumps(stand_in.trivy_version())
    script = (
        "#!/bin/sh\ntrap '' INT TERM\ncase \"$*\" in\n*download-db-only*) exit 0 ;;\n"
        f"version*) echo '{version}'; exit 0 ;;\nesac\nwhile true; do sleep 1; done\n"
    )
    (tmp_path / "trivy").write_text(script, encoding="utf-8", newline="\n")
    (tmp_path / "trivy").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(
        f'FROM {tiny_image}\nCOPY trivy /trivy\nENTRYPOINT ["/trivy"]\n', encoding="utf-8"
    )
    name = docker_session.name("trivy-deaf:1")
    volumes = set(docker("volume", "ls", "--quiet").split())
    docker("build", "--quiet", "--label", docker_session.label, "--tag", name, str(tmp_path))
    try:
        config = f'[scan]\ntimeout = {4 if how == "late" else 60}\ntrivy-image = "{name}"\n'
        (stack.folder / "homeport.toml").write_text(config, encoding="utf-8")
        process = start(stack)
        if how != "late":
            wait_until(lambda: len(docker("ps", "--quiet", "--filter", f"ancestor={name}").split()) == 2)
            process.send_signal(signal.SIGINT if how == "interrupted" else signal.SIGKILL)
        _, errors = process.communicate(timeout=90)
        assert process.returncode == {"late": 2, "interrupted": 130, "killed": -signal.SIGKILL}[how], errors
        assert how != "late" or "didn't end within 4 s" in errors
        if how == "killed":
            # What the next scan does first; there it would meet the same image again.
            killed.sweep(scanner.CONTAINER_LABEL, scanner.OWNER_LABEL)
        assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={name}") == ""
    finally:
        docker("rmi", "--force", name)
        if "homeport-trivy" not in volumes:
            docker("volume", "rm", "--force", "homeport-trivy")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_scan_leaves_nothing_running(
    number: signal.Signals, stack: Stack, trivy: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stack.folder / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    trivy.say(image={"sleep": 600})
    process = start(stack)
    try:
        wait_until(lambda: len(running(trivy)) == 2)
        process.send_signal(number)
        # Of one that is killed its programs still hold the pipes.
        process.wait(timeout=90)
    finally:
        process.kill()
    if number == signal.SIGKILL:
        assert list(place.iterdir())
        trivy.say(image=stand_in.trivy_report())
        done = stack.scan()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "left that had been killed" in done.stdout
    else:
        assert process.returncode == 130
    process.communicate(timeout=60)
    assert running(trivy) == []
    assert list(place.iterdir()) == []


def start(stack: Stack) -> subprocess.Popen[str]:
    """A scan that goes on in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "homeport", "scan"],
        cwd=stack.folder,
        env={**os.environ, "PATH": stack.path, "XDG_CACHE_HOME": str(stack.folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(program: StandIn) -> list[str]:
    """The scans of this stand-in that are going on, by their command lines."""
    words = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    return [" ".join(one) for one in words if str(program.bin / program.name) in one and "image" in one]


# -- what images tell of themselves, and the repository -----------------------------------------------------

HIDDEN = "hunter2-hunter2"


def test_secrets_of_images_and_of_the_repository_are_found_and_shown_nowhere(
    stack: Stack, trivy: StandIn, tiny_image: str, docker_session: DockerSession, tmp_path: Path
) -> None:
    text = f"FROM {tiny_image}\nARG NPM_TOKEN\nENV DB_PASSWORD={HIDDEN}\nRUN echo ok\nCMD sh\n"
    (stack.folder / "api" / "Dockerfile").write_text(text, encoding="utf-8")
    compose = {"services": {"db": {"image": "postgres:16", "privileged": True}}}
    (stack.folder / "compose.yml").write_text(json.dumps(compose), encoding="utf-8")
    name = docker_session.name("scan-leaky:1")
    bake = {"target": {"default": {"context": "api", "tags": [name], "args": {"NPM_TOKEN": HIDDEN}}}}
    (stack.folder / "docker-bake.json").write_text(json.dumps(bake), encoding="utf-8")
    config = '[build]\nfiles = ["docker-bake.json"]\n'
    (stack.folder / "homeport.toml").write_text(config, encoding="utf-8")
    trivy.say(image=stand_in.trivy_report(leaks=(stand_in.LEAK,)))
    built = stack.run_homeport(["build"], stack.folder)
    assert built.returncode == 0, built.stderr
    try:
        report = tmp_path / "report"
        done = stack.scan("--report", str(report), "--sarif", str(tmp_path / "x.sarif"), "--json", "x.json")
    finally:
        docker("rmi", name)
    assert done.returncode == 1
    document = json.loads((stack.folder / "x.json").read_text(encoding="utf-8"))
    found = {
        (one["image"], one["id"], one["package"] if one["image"] else one["file"])
        for one in document["findings"]
    }
    assert found == {
        (name, "image-secret", "DB_PASSWORD"),
        (name, "image-secret", "NPM_TOKEN"),
        (name, "image-secret", "aws-access-key-id"),
        ("", "secret-in-image", "api/Dockerfile"),
        ("", "runs-as-root", "api/Dockerfile"),
        ("", "privileged", "compose.yml"),
    }
    assert {path.name for path in report.iterdir()} == {"scan.html", "scan.json", "scan.sarif"}
    written = [done.stdout, done.stderr, (tmp_path / "x.sarif").read_text(encoding="utf-8")]
    written += [path.read_text(encoding="utf-8") for path in report.iterdir()]
    written += [path.read_text(encoding="utf-8") for path in (tmp_path / "cache").rglob("scans/*")]
    assert len(written) == 7
    assert not any(HIDDEN in one or "AKIAVERYSECRET" in one for one in written)


def test_a_shard_leaves_the_repository_to_others(stack: Stack, trivy: StandIn) -> None:
    (stack.folder / "api" / "Dockerfile").write_text(
        "FROM scratch\nENV API_KEY=abc\nCMD x\n", encoding="utf-8"
    )
    trivy.say(image=stand_in.trivy_report())
    assert stack.scan().returncode == 1
    assert stack.scan("--targets", "api,web").returncode == 0


def test_what_is_in_an_image_by_the_real_syft(stack: Stack, trivy: StandIn) -> None:
    code, document = stack.json("--sbom", "boms")
    assert code == 1
    assert [one["sbom"] for one in document["images"]] == [
        str(Path("boms") / f"{name}.cdx.json") for name in ("api", "web")
    ]
    for name, id_, file in zip(stack.names, stack.ids, ("api", "web"), strict=True):
        listed = json.loads((stack.folder / "boms" / f"{file}.cdx.json").read_text(encoding="utf-8"))
        assert (listed["bomFormat"], listed["metadata"]["tools"]["components"][0]["name"]) == (
            "CycloneDX",
            "syft",
        )
        about = listed["metadata"]["component"]
        assert (about["type"], about["name"], about["version"]) == ("container", name, id_)
        assert "busybox" in {one["name"] for one in listed["components"]}
