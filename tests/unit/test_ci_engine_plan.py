"""ci/engine_plan.py: these facts, this plan."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest

from apt_sources import AptSource
from engine_plan import PACKAGES, Daemon, Plan, Run, Step, Wait, Write, make_plan
from made_up_machines import ANSWERS, BARE, BOOKWORM, DENIED, NO_CLI, SILENT, facts


def commands(steps: Sequence[Step]) -> list[str]:
    return [str(step) for step in steps if isinstance(step, Run)]


def files(steps: Sequence[Step]) -> dict[str, str]:
    return {step.path: step.text for step in steps if isinstance(step, Write)}


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
        assert install.endswith(" ".join(f"{package}/{suite}" for package in PACKAGES))
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
def test_an_installed_engine_is_only_started(changes: dict[str, Any], start: tuple[Step, ...]) -> None:
    assert make_plan(facts(docker=SILENT, dockerd=True, **changes)) == Plan(start=start)


def test_an_installed_engine_is_started_on_any_linux() -> None:
    plan = make_plan(facts(docker=SILENT, dockerd=True, os_id="alpine", apt=False, sources=()))
    assert plan.start == (Daemon(), Wait())


def test_an_engine_without_a_client_is_no_complete_installation() -> None:
    assert make_plan(facts(docker=NO_CLI, dockerd=True)).attempts
