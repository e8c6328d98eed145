"""``homeport init`` in a real clone."""

from __future__ import annotations

from pathlib import Path

from engine_fixtures import RunHomeport, Sandbox, run_program


def git(folder: Path, *words: str) -> None:
    done = run_program(["git", *words], folder)
    assert done.returncode == 0, done.stderr


def test_what_git_knows_stands_in_the_settings_and_no_password(
    sandbox: Sandbox, run_homeport: RunHomeport
) -> None:
    folder = sandbox(
        {"compose.yml": "services:\n  api: {build: .}\n", "Dockerfile": "FROM scratch\nCOPY . /\n"}
    )
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    git(folder, "remote", "add", "origin", "https://me:secret@github.com/Me/Home.git")
    git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/release/1")
    done = run_homeport(["init"], folder)
    assert done.returncode == 0, done.stderr
    text = (folder / "homeport.toml").read_text(encoding="utf-8")
    assert 'main-branch = "release/1"' in text
    assert '# registry = "ghcr.io/me/home"' in text
    assert "secret" not in text + done.stdout + done.stderr
    # What it wrote is what the other commands read.
    assert run_homeport(["build", "--dry-run"], folder).returncode == 0


def test_a_branch_that_happens_to_be_checked_out_is_not_the_main_one(
    sandbox: Sandbox, run_homeport: RunHomeport
) -> None:
    folder = sandbox({"compose.yml": "services: {}\n"})
    git(folder, "init", "--quiet", "--initial-branch=master")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "switch", "--quiet", "--create", "feature")
    run_homeport(["init"], folder)
    assert 'main-branch = "master"' in (folder / "homeport.toml").read_text(encoding="utf-8")
