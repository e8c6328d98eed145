"""``homeport ci.generate`` in this process, on targets made up."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from homeport.build import facts as reading
from homeport.engine import git
from homeport.program import main
from made_up import Targets, facts

TARGETS: Targets = {
    "base": {"tags": ["x/base"]},
    "api": {"tags": ["x/api"], "contexts": {"base": "target:base"}},
    "web": {"tags": ["x/web"]},
    "worker": {"tags": ["x/worker"]},
    "tool": {"tags": ["x/tool"]},
}
IMAGES: dict[str, tuple[str, ...]] = {"web": ("x/base",)}
BUILD = ".github/workflows/docker-build.yml"


class Called(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Called]


def placed(top: Path, cwd: Path) -> git.Place:
    """What git says where ``top`` is a repository."""
    way = cwd.relative_to(top).as_posix()
    return git.Place(top, "" if way == "." else way)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(git, "place", lambda cwd: placed(tmp_path, cwd))
    (tmp_path / "homeport.toml").write_text(
        '[build]\nregistry = "ghcr.io/me"\n[ci]\nshards = 2\n', encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> Targets:
    found = dict(TARGETS)

    def read(cwd: Path, **about: Any) -> Any:
        requested = about["names"] or [name for name in found if name != "tool"]
        return facts(found, *requested, images=IMAGES)

    monkeypatch.setattr(reading, "read", read)
    return found


@pytest.fixture
def call(
    folder: Path,
    targets: Targets,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    def run(*options: str) -> Called:
        monkeypatch.setattr("sys.argv", ["homeport", "ci.generate", *options])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Called(code, captured.out, captured.err)

    return run


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_writes_once(folder: Path, call: Call) -> None:
    shown = call()
    assert shown.code == 0
    lines = [line.rstrip() for line in shown.out.splitlines()]
    assert lines == [
        "warning: CI builds what 'homeport build' builds, which leaves out tool. Choose with [ci] targets.",
        "shard  targets",
        "bases  base",
        "1/2    api, worker",
        "2/2    web",
        "",
        "  .github/workflows/docker-build.yml: new",
        "  .github/workflows/docker-test.yml: new",
        "  .github/workflows/docker-security-scan.yml: new",
        "  .github/workflows/docker-deploy.yml: new",
        "4 files of 4 written.",
    ]
    assert tree(folder) == [
        ".github/workflows/docker-build.yml",
        ".github/workflows/docker-deploy.yml",
        ".github/workflows/docker-security-scan.yml",
        ".github/workflows/docker-test.yml",
        "homeport.toml",
    ]
    before = (folder / BUILD).stat()
    assert "4 files, all up to date." in call().out
    after = (folder / BUILD).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)  # it may be read


def test_a_dry_run_shows_what_it_would_write(folder: Path, call: Call) -> None:
    shown = call("--dry-run")
    assert shown.code == 0
    assert f"+++ b/{BUILD}" in shown.out
    assert "4 files of 4 would be written." in shown.out
    assert tree(folder) == ["homeport.toml"]


def test_check_notices_a_new_service(call: Call, targets: Targets) -> None:
    assert call("--check").code == 1
    call()
    assert call("--check").code == 0
    targets["new"] = {"tags": ["x/new"]}
    shown = call("--check")
    assert shown.code == 1
    assert '+            targets: "web,new"' in shown.out
    call()
    assert call("--check").code == 0


def test_check_notices_a_renamed_target_and_one_that_is_gone(call: Call, targets: Targets) -> None:
    call()
    targets["worker2"] = targets.pop("worker")
    assert call("--check").code == 1
    call()
    targets.pop("worker2")
    assert call("--check").code == 1


def test_check_notices_an_edit_and_touches_nothing(folder: Path, call: Call) -> None:
    call()
    text = (folder / BUILD).read_text(encoding="utf-8") + "# mine\n"
    (folder / BUILD).write_text(text, encoding="utf-8")
    shown = call("--check")
    assert (shown.code, "edited by hand" in shown.out) == (1, True)
    assert "-# mine" in shown.out
    assert (folder / BUILD).read_text(encoding="utf-8") == text


def test_an_edit_is_never_overwritten_in_silence(folder: Path, call: Call) -> None:
    call()
    files = [folder / BUILD, folder / BUILD.replace("build", "test")]
    text = files[1].read_text(encoding="utf-8").replace("timeout-minutes: 60", "timeout-minutes: 90")
    files[1].write_text(text, encoding="utf-8")
    (folder / "homeport.toml").write_text("[ci]\nminutes = 30\n", encoding="utf-8")
    before = files[0].read_bytes()
    shown = call()
    assert (shown.code, shown.out) == (2, "")
    assert "docker-test.yml was edited by hand." in shown.err
    assert (files[0].read_bytes(), files[1].read_text(encoding="utf-8")) == (before, text)
    assert call("--force").code == 0
    assert "timeout-minutes: 30" in files[1].read_text(encoding="utf-8")
    assert call("--check").code == 0


def test_a_file_of_somebody_else_is_never_overwritten_in_silence(folder: Path, call: Call) -> None:
    (folder / BUILD).parent.mkdir(parents=True)
    (folder / BUILD).write_text("name: mine\n", encoding="utf-8")
    shown = call()
    assert shown.code == 2
    assert f"{BUILD} is there, and homeport didn't write it." in shown.err
    assert tree(folder) == [BUILD, "homeport.toml"]
    assert call("--force").code == 0


def test_what_is_kept_stays(folder: Path, call: Call) -> None:
    call()
    mine = "      - name: Mine\n        run: echo mine\n"
    mark = "      # homeport: keep begin images\n"
    text = (folder / BUILD).read_text(encoding="utf-8")
    (folder / BUILD).write_text(text.replace(mark, mark + mine), encoding="utf-8")
    assert call("--check").code == 0
    (folder / "homeport.toml").write_text('[build]\nregistry = "docker.io/me"\n', encoding="utf-8")
    assert call().code == 0
    assert mark + mine in (folder / BUILD).read_text(encoding="utf-8")


def test_what_is_kept_is_not_lost_with_its_job(folder: Path, call: Call) -> None:
    call()
    mark = "      # homeport: keep begin bases\n"
    text = (folder / BUILD).read_text(encoding="utf-8")
    (folder / BUILD).write_text(text.replace(mark, f"{mark}      - run: echo\n"), encoding="utf-8")
    (folder / "homeport.toml").write_text("", encoding="utf-8")
    shown = call()
    assert shown.code == 2
    assert "no place any more for what is kept in bases" in shown.err
    assert "no place any more for what is kept in bases" in call("--dry-run").out


def test_shards_by_recorded_times(folder: Path, call: Call) -> None:
    document = {
        "schema": "homeport.build/1",
        "targets": [{"name": "web", "status": "built", "seconds": 90.0}],
    }
    (folder / "times.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "homeport.toml").write_text(
        '[build]\nregistry = "ghcr.io/me"\n[ci]\nshards = 2\ntimes = "times.json"\n'
        'targets = ["api", "web", "tool"]\n',
        encoding="utf-8",
    )
    shown = json.loads(call("--json", "-").out)
    assert (shown["schema"], shown["written"], shown["ok"]) == ("homeport.ci/1", True, True)
    assert (shown["bases"], shown["shards"], shown["warnings"]) == ([], [["api", "tool"], ["web"]], [])
    assert shown["files"][0] == {"path": BUILD, "state": "new", "lost": []}


@pytest.mark.parametrize(
    ("options", "toml", "said"),
    [
        (("--provider", "githup"), "", "did you mean 'github'?"),
        (("--chekc",), "", "did you mean '--check'?"),
        ((), "[ci]\nshard = 3\n", "did you mean 'shards'?"),
        ((), '[ci]\nname = "My Shop"\n', "[ci] name: 'My Shop' can't begin"),
        ((), "[ci]\nshards = 0\n", "[ci] shards must be 1 or more."),
        ((), '[ci]\ntimes = "no.json"\n', "[ci] times: no.json can't be read: No such file"),
        ((), '[ci]\ntimes = "homeport.toml"\n', "[ci] times: homeport.toml can't be read"),
        (("--json", "."), "", "is a folder"),
    ],
)
def test_wrong_words_are_exit_2(
    folder: Path, call: Call, options: tuple[str, ...], toml: str, said: str
) -> None:
    (folder / "homeport.toml").write_text(toml, encoding="utf-8")
    shown = call(*options)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err
    assert tree(folder) == ["homeport.toml"]


def test_a_file_that_is_no_text(folder: Path, call: Call) -> None:
    (folder / BUILD).parent.mkdir(parents=True)
    (folder / BUILD).write_bytes(b"\xff\xfe")
    shown = call("--force")
    assert (shown.code, f"{BUILD} is no UTF-8." in shown.err) == (2, True)


def test_a_folder_that_is_a_file(folder: Path, call: Call) -> None:
    (folder / ".github").write_text("", encoding="utf-8")
    shown = call()
    assert shown.code == 2
    assert ".github" in shown.err


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack in a folder of the repository; it is the working directory."""
    found = folder / "apps" / "shop"
    found.mkdir(parents=True)
    (found / "homeport.toml").write_text('[build]\nregistry = "ghcr.io/me"\n', encoding="utf-8")
    monkeypatch.chdir(found)
    return found


def test_a_stack_in_a_folder_has_its_workflows_at_the_top(folder: Path, shop: Path, call: Call) -> None:
    assert call().code == 0
    assert "# homeport: folder apps/shop\n" in (folder / BUILD).read_text(encoding="utf-8")
    assert tree(shop) == ["homeport.toml"]
    assert call("--check").code == 0


def test_two_stacks_never_overwrite_each_other(
    folder: Path, shop: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call().code == 0
    before = (folder / BUILD).read_bytes()
    monkeypatch.chdir(folder)
    shown = call()
    assert (shown.code, shown.out, (folder / BUILD).read_bytes()) == (2, "", before)
    assert f"{BUILD} is of the stack in apps/shop." in shown.err
    assert "[ci] name" in shown.err
    shown = call("--check")
    assert (shown.code, f"{BUILD}: of another folder" in shown.out) == (1, True)
    (folder / "homeport.toml").write_text('[ci]\nname = "all"\n', encoding="utf-8")
    assert call().code == 0
    assert (folder / BUILD).read_bytes() == before
    assert (folder / BUILD.replace("docker-build", "all-docker-build")).is_file()
    assert call("--check").code == 0
    monkeypatch.chdir(shop)
    assert call("--check").code == 0


def test_workflows_of_an_old_name_are_named(folder: Path, call: Call) -> None:
    call()
    (folder / "homeport.toml").write_text('[ci]\nname = "shop"\n', encoding="utf-8")
    (folder / BUILD).with_name("mine.yml").write_text("name: mine\n", encoding="utf-8")
    shown = call()
    said = [line for line in shown.out.splitlines() if "under another name" in line]
    assert (shown.code, len(said)) == (0, 4)
    assert f"{BUILD} was generated for this stack under another name: remove it." in said[0]


def test_a_stack_that_moved_takes_its_workflows_along(
    folder: Path, shop: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call().code == 0
    monkeypatch.chdir(folder)
    shop.rename(folder / "shop")
    monkeypatch.chdir(folder / "shop")
    shown = call()
    assert (shown.code, "If the stack has moved, --force takes the file over." in shown.err) == (2, True)
    assert call("--force").code == 0
    assert call("--check").code == 0


@pytest.mark.parametrize("name", ["it's", "a*b", "${{ x }}", "[a]", "a\nb", "!a"])
def test_a_folder_that_no_workflow_can_name(
    folder: Path, name: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "place", lambda cwd: git.Place(folder, name))
    shown = call()
    assert (shown.code, "can't stand in a workflow" in shown.err, tree(folder)) == (
        2,
        True,
        ["homeport.toml"],
    )


def test_a_folder_without_git_is_told_so(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "git repository" not in call("--dry-run").out
    monkeypatch.setattr(git, "place", lambda cwd: None)
    shown = call()
    assert (shown.code, shown.out.count("warning: This folder is in no git repository")) == (0, 1)
    assert BUILD in tree(folder)


def test_gitlab_has_one_file(folder: Path, call: Call) -> None:
    (folder / "homeport.toml").write_text('[ci]\nname = "shop"\n', encoding="utf-8")
    shown = call("--provider", "gitlab")
    assert (shown.code, "[ci] name is of no use at GitLab" in shown.err) == (2, True)


def test_every_option_is_documented() -> None:
    module = importlib.reload(importlib.import_module("homeport.commands.ci"))
    assert [argument.name for argument in module.generate.get_arguments() if not argument.help] == []
