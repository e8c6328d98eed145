"""ci/engine.py: facts in, plan out. tests/engine/test_engine_from_nothing.py really installs an engine."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import engine
from apt_sources import AptSource
from engine import Daemon, Docker, EngineError, Facts, Plan, Run, Wait, Write, make_plan

BOOKWORM = AptSource(
    "http://deb.example.org/debian",
    "bookworm",
    ("main",),
    (("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg"),),
    "/etc/apt/sources.list.d/debian.sources",
)
ANSWERS = Docker(cli=True, version="28.5.2", os_type="linux", buildx="0.29.1", compose="2.40.3")
SILENT = Docker(cli=True, buildx="0.29.1", compose="2.40.3", error="Cannot connect to the Docker daemon")
NO_CLI = Docker(error="the docker command can't be run: No such file or directory")
DENIED = Docker(cli=True, error="permission denied while trying to connect to the Docker daemon socket")
# A fresh Debian container with all rights: the case in which this program installs.
BARE = Facts(
    docker=NO_CLI,
    os_id="debian",
    codename="bookworm",
    root=True,
    privileged=True,
    apt=True,
    sources=(BOOKWORM, dataclasses.replace(BOOKWORM, suite="bookworm-updates")),
)


def facts(**changes: Any) -> Facts:
    return dataclasses.replace(BARE, **changes)


def commands(steps: Sequence[engine.Step]) -> list[str]:
    return [str(step) for step in steps if isinstance(step, Run)]


def files(steps: Sequence[engine.Step]) -> dict[str, str]:
    return {step.path: step.text for step in steps if isinstance(step, Write)}


# -- reading ----------------------------------------------------------------------------------------------


def info(**changes: Any) -> str:
    plugins = [{"Name": "buildx", "Version": "0.29.1"}, {"Name": "compose", "Version": "2.40.3"}]
    client = {"Context": "default", "Plugins": plugins}
    return json.dumps(
        {"ServerVersion": "28.5.2", "OSType": "linux", "Driver": "overlayfs", "ClientInfo": client, **changes}
    )


def test_info_of_a_complete_engine() -> None:
    docker = engine.parse_info(info())
    assert docker.complete
    assert str(docker) == "Docker Engine 28.5.2, buildx 0.29.1, Compose 2.40.3 (overlayfs)"
    assert not docker.error


@pytest.mark.parametrize(
    ("plugins", "lacks"),
    [
        ([], "the buildx plugin and the Compose plugin"),
        (None, "the buildx plugin and the Compose plugin"),
        ([{"Name": "compose", "Version": "2.40.3"}], "the buildx plugin"),
        (
            [{"Name": "buildx", "Version": "0.29.1"}, {"Name": "compose", "Err": "exec format error"}],
            "the Compose plugin",
        ),
        ([{"Name": "buildx"}, {"Name": "compose"}], ""),  # a plugin without a version is still one
    ],
)
def test_info_tells_which_plugins_are_missing(plugins: object, lacks: str) -> None:
    docker = engine.parse_info(info(ClientInfo={"Plugins": plugins}))
    assert docker.answers
    assert docker.lacks == lacks


def test_info_without_an_engine_keeps_the_first_complaint() -> None:
    docker = engine.parse_info(info(ServerVersion="", ServerErrors=["no socket", "more"]), "ERROR")
    assert (docker.answers, docker.error, docker.lacks) == (False, "no socket", "a Docker engine")


@pytest.mark.parametrize("text", ["", "Failed to initialize", "[1"])
def test_info_that_is_no_json_is_an_error_not_a_crash(text: str) -> None:
    docker = engine.parse_info(text, "context not found\n")
    assert (docker.cli, docker.answers, docker.error) == (True, False, "context not found")


def test_look_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "docker")

    monkeypatch.setattr(subprocess, "run", missing)
    assert engine.look() == NO_CLI


def test_look_at_an_engine_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert engine.look(7).error == "the engine did not answer within 7 s"


def test_os_release() -> None:
    text = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=\'bookworm\'\nHOME_URL="https://www.debian.org/"\n'
    parsed = engine.parse_os_release(text)
    assert (parsed["ID"], parsed["VERSION_ID"], parsed["VERSION_CODENAME"]) == ("debian", "12", "bookworm")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapEff:\t000001fffeffffff\n", True),
        ("Name: x\nCapEff:\t00000000a80425fb\n", False),  # what an unprivileged container has
        ("CapEff:\t0000000000000000\n", False),
        ("", False),
    ],
)
def test_may_mount(status: str, expected: bool) -> None:
    assert engine.parse_may_mount(status) is expected


@pytest.mark.parametrize(
    ("names", "age_s", "fresh"),
    [
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages.lz4"], 60, True),
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages"], 60, True),
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages"], 3 * 24 * 3600, False),
        (["lock"], 60, False),
        ([], 60, False),
    ],
)
def test_fresh_package_lists(tmp_path: Path, names: list[str], age_s: int, fresh: bool) -> None:
    for name in names:
        (tmp_path / name).touch()
    now = tmp_path.stat().st_mtime + age_s
    assert engine._lists_fresh(tmp_path, now) is fresh


def test_package_lists_of_a_machine_without_apt(tmp_path: Path) -> None:
    assert not engine._lists_fresh(tmp_path / "none", 0)


# -- planning: what is left alone -------------------------------------------------------------------------


def test_a_working_engine_is_left_alone() -> None:
    assert make_plan(facts(docker=ANSWERS)).nothing


@pytest.mark.parametrize(
    "changes",
    [
        {"root": False},
        {"system": "Darwin"},
        {"system": "Windows"},
        {"os_id": "fedora", "apt": False},
        {"docker_host": "tcp://10.0.0.1:2376"},
        {"dockerd": True},
    ],
)
def test_a_working_engine_is_left_alone_everywhere(changes: dict[str, Any]) -> None:
    assert make_plan(facts(docker=ANSWERS, **changes)).nothing


@pytest.mark.parametrize("plugin", ["buildx", "compose"])
def test_a_missing_plugin_is_a_message_even_where_installing_would_be_possible(plugin: str) -> None:
    missing: dict[str, Any] = {plugin: ""}
    docker = dataclasses.replace(ANSWERS, **missing)
    plan = make_plan(facts(docker=docker))
    assert f"the {'buildx' if plugin == 'buildx' else 'Compose'} plugin is missing" in plan.refusal
    assert "docker-buildx-plugin" in plan.refusal
    assert not plan.attempts
    assert not plan.start


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"docker": dataclasses.replace(ANSWERS, os_type="windows")}, "Switch to Linux containers"),
        ({"docker": SILENT, "docker_host": "tcp://10.0.0.1:2376"}, "DOCKER_HOST=tcp://10.0.0.1:2376"),
        ({"docker": SILENT, "docker_host": "unix:///tmp/other.sock"}, "unset DOCKER_HOST"),
        ({"docker": dataclasses.replace(SILENT, context="prod")}, "docker context use default"),
        ({"docker": DENIED, "root": False}, "usermod -aG docker"),
        ({"docker": SILENT, "root": False, "dockerd": True}, "sudo systemctl start docker"),
        ({"root": False}, "sudo python3 ci/engine.py"),
        ({"root": False, "os_id": "ubuntu"}, "docker.io docker-buildx docker-compose-v2"),
        ({"root": False, "os_id": "fedora", "apt": False}, "https://get.docker.com"),
        ({"os_id": "fedora", "apt": False, "sources": ()}, "https://get.docker.com"),
        ({"sources": ()}, "https://get.docker.com"),
        ({"apt": False}, "https://get.docker.com"),
        ({"privileged": False}, "--privileged"),
        ({"privileged": False, "docker": SILENT, "dockerd": True}, "--privileged"),
        ({"system": "Darwin"}, "colima start"),
        ({"system": "Darwin", "docker": dataclasses.replace(SILENT, context="colima")}, "colima start"),
        ({"system": "Windows"}, "Docker Desktop"),
        ({"system": "FreeBSD"}, "DOCKER_HOST"),
    ],
)
def test_everything_else_is_one_message(changes: dict[str, Any], words: str) -> None:
    plan = make_plan(facts(**changes))
    assert words in plan.refusal
    assert not plan.attempts
    assert not plan.start


@pytest.mark.parametrize("os_id", ["ubuntu", "pop", "linuxmint", "neon"])
def test_ubuntu_and_its_children_get_no_debian_packages(os_id: str) -> None:
    noble = AptSource("http://deb.example.org/ubuntu", "noble", ("main", "universe"))
    updates = dataclasses.replace(noble, suite="noble-updates")
    assert make_plan(facts(os_id=os_id, codename="noble", sources=(noble, updates))).refusal


def test_a_child_of_debian_with_debians_own_archive_does() -> None:
    assert make_plan(facts(os_id="linuxmint", codename="faye")).attempts


# -- planning: installing ---------------------------------------------------------------------------------


def test_a_bare_debian_installs_from_sid_and_falls_back_to_trixie() -> None:
    plan = make_plan(BARE)
    assert len(plan.attempts) == 2
    for suite, steps in zip(("sid", "trixie"), plan.attempts, strict=True):
        install = commands(steps)[-1]
        assert install.startswith("apt-get install --yes --no-install-recommends --no-remove ")
        assert install.endswith(" ".join(f"{package}/{suite}" for package in engine.PACKAGES))
    assert plan.start == (Daemon(), Wait())


def test_the_added_suite_has_the_machines_own_mirror_and_key_and_a_low_pin() -> None:
    written = files(make_plan(BARE).attempts[0])
    source = written["/etc/apt/sources.list.d/homeport-sid.sources"]
    assert "URIs: http://deb.example.org/debian\nSuites: sid\nComponents: main\n" in source
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" in source
    pin = written["/etc/apt/preferences.d/homeport-sid"]
    assert pin == "Package: *\nPin: release n=sid\nPin-Priority: 100\n"


def test_the_pin_is_there_before_the_source() -> None:
    paths = list(files(make_plan(BARE).attempts[0]))
    pin = paths.index("/etc/apt/preferences.d/homeport-sid")
    assert pin < paths.index("/etc/apt/sources.list.d/homeport-sid.sources")


def test_without_package_lists_all_sources_are_updated_too() -> None:
    everything, added, _ = commands(make_plan(facts(lists_fresh=False)).attempts[0])
    assert everything == "apt-get update -o DPkg::Lock::Timeout=120"
    assert "Dir::Etc::sourcelist=/etc/apt/sources.list.d/homeport-sid.sources" in added


def test_with_fresh_package_lists_only_the_added_source_is_updated() -> None:
    update, install = commands(make_plan(facts(lists_fresh=True)).attempts[0])
    assert "Dir::Etc::sourceparts=-" in update
    assert "APT::Get::List-Cleanup=0" in update
    assert install.startswith("apt-get install")


def test_only_the_update_of_everything_may_fail() -> None:
    runs = [step for step in make_plan(BARE).attempts[0] if isinstance(step, Run)]
    assert [step.optional for step in runs] == [True, False, False]


@pytest.mark.parametrize("suite", ["sid", "unstable"])
def test_a_machine_that_has_the_suite_needs_no_second_source(suite: str) -> None:
    own = dataclasses.replace(BOOKWORM, suite=suite)
    steps = make_plan(facts(codename="sid", sources=(own,), lists_fresh=True)).attempts[0]
    assert not [path for path in files(steps) if path.startswith("/etc/apt")]
    assert len(commands(steps)) == 1


def test_what_an_earlier_run_added_counts_for_nothing() -> None:
    leftover = dataclasses.replace(BOOKWORM, suite="sid", path="/etc/apt/sources.list.d/homeport-sid.sources")
    assert make_plan(facts(sources=(leftover, BOOKWORM))) == make_plan(facts(sources=(BOOKWORM,)))


def test_daemon_json_is_written_first_and_turns_the_containerd_store_on() -> None:
    path, text = next(iter(files(make_plan(BARE).attempts[0]).items()))
    assert path == "/etc/docker/daemon.json"
    assert json.loads(text)["features"] == {"containerd-snapshotter": True}


def test_an_existing_daemon_json_is_kept() -> None:
    assert "/etc/docker/daemon.json" not in files(make_plan(facts(daemon_config=True)).attempts[0])


@pytest.mark.parametrize(
    ("policy", "systemd", "written"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_packages_start_nothing_where_no_systemd_keeps_order(
    policy: bool, systemd: bool, written: bool
) -> None:
    steps = make_plan(facts(policy=policy, systemd=systemd)).attempts[0]
    policies = [step for step in steps if isinstance(step, Write) and step.path == "/usr/sbin/policy-rc.d"]
    assert [(step.mode, step.temporary) for step in policies] == ([(0o755, True)] if written else [])


def test_a_client_without_an_engine_installs_one() -> None:
    assert make_plan(facts(docker=SILENT)).attempts


def test_the_default_socket_in_docker_host_is_this_machine() -> None:
    assert make_plan(facts(docker=SILENT, docker_host="unix:///var/run/docker.sock")).attempts


# -- planning: starting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, (Daemon(), Wait())),
        ({"systemd": True}, (Run(("systemctl", "start", "docker.service")), Wait())),
        ({"dockerd_runs": True}, (Wait(),)),
        ({"dockerd_runs": True, "systemd": True}, (Wait(),)),
    ],
)
def test_an_installed_engine_is_only_started(changes: dict[str, Any], start: tuple[engine.Step, ...]) -> None:
    assert make_plan(facts(docker=SILENT, dockerd=True, **changes)) == Plan(start=start)


def test_an_installed_engine_is_started_on_any_linux() -> None:
    plan = make_plan(facts(docker=SILENT, dockerd=True, os_id="alpine", apt=False, sources=()))
    assert plan.start == (Daemon(), Wait())


def test_an_engine_without_a_client_is_no_complete_installation() -> None:
    assert make_plan(facts(docker=NO_CLI, dockerd=True)).attempts


# -- applying ---------------------------------------------------------------------------------------------


class Recorder(engine.Machine):
    """Does nothing, remembers everything; what contains one of the given words fails."""

    def __init__(self, failing: Sequence[str] = (), existing: Sequence[str] = ()) -> None:
        super().__init__()
        self.failing = failing
        self.files = set(existing)
        self.done: list[str] = []

    def say(self, text: str) -> None:
        pass

    def write(self, step: Write) -> bool:
        new = step.path not in self.files
        self.files.add(step.path)
        return new

    def remove(self, path: str) -> None:
        self.files.remove(path)

    def run(self, argv: Sequence[str]) -> str:
        text = " ".join(argv)
        if "interrupt" in self.failing:
            raise KeyboardInterrupt
        self.done.append(text)
        return f"{text} failed" if any(word in text for word in self.failing) else ""

    def start_daemon(self) -> None:
        self.done.append("dockerd")

    def wait(self, seconds: float) -> str:
        self.done.append("wait")
        return "dockerd stopped" if "wait" in self.failing else ""


SID_FILES = {"/etc/apt/sources.list.d/homeport-sid.sources", "/etc/apt/preferences.d/homeport-sid"}
TRIXIE_FILES = {"/etc/apt/sources.list.d/homeport-trixie.sources", "/etc/apt/preferences.d/homeport-trixie"}
DAEMON_JSON = {"/etc/docker/daemon.json"}


@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ((), SID_FILES | DAEMON_JSON),
        (("docker.io/sid",), TRIXIE_FILES | DAEMON_JSON),
        (("homeport-sid.sources",), TRIXIE_FILES | DAEMON_JSON),
    ],
)
def test_the_first_attempt_that_works_is_enough(failing: Sequence[str], left: set[str]) -> None:
    machine = Recorder(failing)
    engine.apply(make_plan(BARE), machine)
    assert machine.files == left
    assert machine.done[-2:] == ["dockerd", "wait"]


def test_an_update_of_all_sources_may_fail() -> None:
    machine = Recorder()
    steps = (Run(("apt-get", "update"), optional=True), Run(("apt-get", "install")))
    machine.failing = ("update",)
    engine.apply(Plan(attempts=(steps,)), machine)
    assert machine.done == ["apt-get update", "apt-get install"]


def test_when_every_attempt_fails_nothing_is_left_and_nothing_started() -> None:
    machine = Recorder(["apt-get install"])
    with pytest.raises(EngineError, match="could not be installed") as caught:
        engine.apply(make_plan(BARE), machine)
    assert caught.value.exit_code == 1
    assert machine.files == set()
    assert "dockerd" not in machine.done


def test_a_failed_attempt_removes_no_file_that_was_there_before() -> None:
    machine = Recorder(["apt-get install"], existing=sorted(SID_FILES))
    with pytest.raises(EngineError):
        engine.apply(make_plan(BARE), machine)
    assert machine.files == SID_FILES


def test_an_interrupted_attempt_leaves_no_file() -> None:
    machine = Recorder(["interrupt"])
    with pytest.raises(KeyboardInterrupt):
        engine.apply(make_plan(BARE), machine)
    assert machine.files == set()


def test_an_engine_that_does_not_start_says_why() -> None:
    machine = Recorder(["wait"])
    with pytest.raises(EngineError, match="the engine did not start: dockerd stopped"):
        engine.apply(make_plan(facts(docker=SILENT, dockerd=True)), machine)


def test_files_are_really_written_and_removed(tmp_path: Path) -> None:
    machine = engine.Machine()
    step = Write(str(tmp_path / "new" / "policy"), "text\n", 0o755)
    assert machine.write(step)
    assert not machine.write(step)
    path = Path(step.path)
    assert path.read_text(encoding="utf-8") == "text\n"
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o755
    machine.remove(step.path)
    assert not path.exists()


def test_the_quiet_environment_asks_nothing_and_finds_iptables() -> None:
    environment = engine.quiet_environment(
        {"PATH": os.pathsep.join(["/bin", "/usr/sbin"]), "HTTP_PROXY": "x"}
    )
    assert environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert environment["HTTP_PROXY"] == "x"
    assert environment["PATH"].split(os.pathsep) == ["/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"]


def test_only_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    old = "old\n" * 5
    log.write_text(old + "".join(f"line {number}\n" for number in range(40)), encoding="utf-8", newline="\n")
    assert engine._tail(log, len(old)).splitlines() == [f"  line {number}" for number in range(25, 40)]


# -- command line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("docker", "code", "words"),
    [
        (ANSWERS, 0, "nothing to do"),
        (NO_CLI, 2, "docker.io/sid"),
        (dataclasses.replace(ANSWERS, buildx=""), 2, "buildx"),
    ],
)
def test_check_only_reports(
    docker: Docker, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "read_facts", lambda: facts(docker=docker))
    assert engine.main(["--check"]) == code
    output = capsys.readouterr()
    assert words in output.out + output.err


def test_a_working_engine_is_reported_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "look", lambda: ANSWERS)
    assert engine.main([]) == 0
    assert capsys.readouterr().out == "Docker Engine 28.5.2, buildx 0.29.1, Compose 2.40.3\n"


def test_a_message_is_one_error_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "read_facts", lambda: facts(system="Darwin"))
    assert engine.main([]) == 2
    assert capsys.readouterr().err.startswith(
        "error: docker is not installed.\nInstall and start Docker Desktop"
    )


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> Facts:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "read_facts", interrupt)
    assert engine.main([]) == 130
