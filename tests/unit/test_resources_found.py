"""What a reviewer found: files that Compose accepted before and must accept after, each by itself."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from homeport.model.tiers import Policy, Tier, make_policy
from homeport.resources.plan import ResourcePlan, State, make
from homeport.resources.proof import proven
from homeport.sources import replace
from homeport.sources.compose import read
from homeport.sources.replace import write

MEMORY = make_policy(
    {"api": Tier(cpus=1.0, reserved_cpus=0.5, memory="512M", reserved_memory="256M", pids=300)}, {}
)


def plan(
    folder: Path, files: dict[str, str], policy: Policy = MEMORY, environment: dict[str, str] | None = None
) -> ResourcePlan:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    facts = read(folder, (), environment or {})
    found = make(facts, policy)
    proven(facts, found)
    return found


def note(found: ResourcePlan, name: str, state: State) -> str:
    (step,) = [one for one in found.steps if one.service == name]
    assert step.state is state, step
    return step.note


def test_an_old_word_of_an_override_is_not_repeated_in_the_base(tmp_path: Path) -> None:
    base = "services:\n  a-api:\n    image: x\n    mem_limit: 1g\n"
    over = "services:\n  a-api:\n    mem_limit: 2g\n"
    found = plan(tmp_path, {"compose.yml": base, "compose.override.yml": over})
    assert "its 'mem_limit' stands in compose.override.yml" in note(found, "a-api", State.REFUSED)


@pytest.mark.parametrize(
    "word", ["mem_limit: 0x10000000", "mem_limit: 0o7777777777", "cpus: 0x1", "cpus: 01"]
)
def test_numbers_that_only_yaml_reads_so_are_refused(tmp_path: Path, word: str) -> None:
    found = plan(tmp_path, {"compose.yml": f"services:\n  a-api:\n    image: x\n    {word}\n"})
    assert "Compose takes it for another number" in note(found, "a-api", State.REFUSED)


@pytest.mark.parametrize("value", ["${MEM:-64m}", "${MEM-64m}", "64m"])
def test_a_reservation_under_a_limit_in_a_variable(tmp_path: Path, value: str) -> None:
    text = f"services:\n  a-api:\n    image: x\n    deploy: {{}}\n    mem_limit: {value}\n"
    found = plan(tmp_path, {"compose.yml": text.replace("    deploy: {}\n", "")})
    assert "its reservation is its limit of 64m" in note(found, "a-api", State.CHANGE)


def test_a_limit_that_nobody_knows_gets_no_reservation(tmp_path: Path) -> None:
    found = plan(tmp_path, {"compose.yml": "services:\n  a-api:\n    image: x\n    mem_limit: ${MEM}\n"})
    assert "nothing is reserved" in note(found, "a-api", State.CHANGE)
    text = "services:\n  a-api:\n    image: x\n    mem_reservation: ${RES}\n"
    found = plan(tmp_path, {"compose.yml": text})
    assert "whose value isn't known here" in note(found, "a-api", State.REFUSED)


@pytest.mark.parametrize(
    "over",
    [
        "services:\n  a-api: !reset null\n",
        "services:\n  b-api:\n    extends: !reset null\n",
        "include: !reset []\n",
        "services: !override\n  a-api:\n    image: y\n",
        "services:\n  a-api: !override\n    image: y\n  b-api:\n    extends: a-api\n",
    ],
)
def test_tags_that_compose_accepts(tmp_path: Path, over: str) -> None:
    base = "services:\n  a-api:\n    image: x\n  b-api:\n    image: x\n"
    found = plan(tmp_path, {"compose.yml": base, "compose.override.yml": over})
    assert {one.service for one in found.steps} >= {"b-api"}


def test_what_is_extended_is_looked_for_from_the_projects_folder(tmp_path: Path) -> None:
    files = {
        "compose.yml": "include:\n  - path: sub/c.yml\n    project_directory: .\n  - common.yml\n",
        "sub/c.yml": "services:\n  zeek:\n    extends:\n      file: common.yml\n      service: base-api\n",
        "common.yml": "services:\n  base-api:\n    image: x\n",
        "sub/common.yml": "services:\n  base-api:\n    image: other\n",
    }
    found = plan(tmp_path, files)
    assert "'zeek' extends it" in note(found, "base-api", State.REFUSED)


def test_a_link_does_not_lead_out_of_the_repository(tmp_path: Path) -> None:
    folder, outside = tmp_path / "repository", tmp_path / "outside.yml"
    folder.mkdir()
    outside.write_text("services:\n  a-api:\n    image: x\n", encoding="utf-8")
    try:
        (folder / "in.yml").symlink_to(outside)
    except OSError:
        pytest.skip("no links here")
    found = plan(folder, {"compose.yml": "include: [in.yml]\n"})
    assert "lies outside of this repository" in note(found, "a-api", State.REFUSED)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize("after", range(1, 9))
def test_a_signal_between_two_files_changes_all_or_none(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{number}.yml" for number in range(4)]
    for file in files:
        file.write_bytes(b"old")
    calls = 0
    beside, replaced = replace._beside, Path.replace

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            signal.raise_signal(signal.SIGTERM)

    def slow_beside(path: Path, data: bytes) -> Path:
        stop()
        return beside(path, data)

    def slow_replace(self: Path, target: Path) -> Path:
        stop()
        return replaced(self, target)

    monkeypatch.setattr(replace, "_beside", slow_beside)
    monkeypatch.setattr(Path, "replace", slow_replace)
    assert threading.current_thread() is threading.main_thread()
    try:
        write(dict.fromkeys(files, b"new"), dict.fromkeys(files, b"old"))
        expected = b"new"
    except KeyboardInterrupt:
        expected = b"old"
    assert {file.read_bytes() for file in files} == {expected}
    assert sorted(tmp_path.iterdir()) == files
    assert (expected == b"old") is (after <= 4)
