"""zizmor, the published schema and the real bake look at workflows that homeport writes."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine_fixtures import RunHomeport, Sandbox
from homeport.ci import github, gitlab
from homeport.ci.marked import written
from homeport.ci.pipeline import Work, make
from homeport.model.config import BuildConfig, CiConfig

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "ghcr": '[build]\nregistry = "ghcr.io/me/stack"\n',
    "another registry": '[build]\nregistry = "registry.example:5000/x"\nmain-branch = "it\'s #1"\n[ci]\n'
    'environments = ["staging", "production"]\nregistry-user = "HUB_USER"\nregistry-password = "HUB_TOKEN"\n',
    "no registry": "[ci]\nshards = 2\ncode-scanning = false\n",
}


def checked(program: str, *arguments: str) -> None:
    """Run one of the programs that lie beside this Python; it must find nothing."""
    path = Path(sys.executable).with_name(f"{program}.exe" if sys.platform == "win32" else program)
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def check_github(folder: Path) -> None:
    """The four workflows below a folder, looked at by zizmor and the published schema."""
    files = sorted((folder / ".github" / "workflows").iterdir())
    assert len(files) == 4
    checked("zizmor", "--offline", "--no-config", "--persona", "pedantic", *map(str, files))
    checked("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, files))


@pytest.fixture(params=list(SETTINGS))
def workflows(
    request: pytest.FixtureRequest, sandbox: Sandbox, run_homeport: RunHomeport
) -> tuple[Path, dict[str, Any]]:
    """A copy of the example stack with its workflows, and what the command said of them."""
    folder = sandbox(ROOT / "examples" / "homeiq")
    (folder / "homeport.toml").write_text(SETTINGS[request.param], encoding="utf-8")
    done = run_homeport(["ci.generate", "--json", "-"], folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_nobody_finds_anything(workflows: tuple[Path, dict[str, Any]], run_homeport: RunHomeport) -> None:
    folder, _ = workflows
    check_github(folder)
    assert run_homeport(["ci.generate", "--check"], folder).returncode == 0
    gitlab = ["ci.generate", "--provider", "gitlab"]
    assert run_homeport(gitlab, folder).returncode == 0
    checked("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(folder / ".gitlab-ci.yml"))
    assert run_homeport([*gitlab, "--check"], folder).returncode == 0


@pytest.mark.parametrize(
    ("registry", "name", "folder"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/stack", "", ""),
        ("europe-west1-docker.pkg.dev/me/stack", "shop", "apps/shop"),
        ("example.azurecr.io/stack", "", "apps/my shop"),
    ],
)
def test_nobody_finds_anything_in_a_folder_or_where_an_identity_logs_in(
    tmp_path: Path, registry: str, name: str, folder: str
) -> None:
    work = Work({"base": (), "api": ("base",), "web": ("base",)}, ("base", "api", "web"))
    made = make(work, CiConfig(name=name), BuildConfig(registry=registry), {}, folder)
    for path, text in github.files(made).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(written(text, {}, folder), encoding="utf-8")
    check_github(tmp_path)
    (text,) = gitlab.files(make(work, CiConfig(), BuildConfig(registry=registry), {}, folder)).values()
    (tmp_path / ".gitlab-ci.yml").write_text(text, encoding="utf-8")
    checked("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(tmp_path / ".gitlab-ci.yml"))


def test_the_workflows_of_this_repository_are_up_to_date(sandbox: Sandbox, run_homeport: RunHomeport) -> None:
    """They are generated for the example; homeport's own tests are jobs in what is kept of them."""
    check_github(ROOT)
    # A copy: git need not know the folder that the tests run in.
    folder = sandbox({})
    for name in (".github", "examples/homeiq"):
        shutil.copytree(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    done = run_homeport(["ci.generate", "--check"], folder / "examples" / "homeiq")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 files, all up to date." in done.stdout


def test_every_target_is_in_the_matrix_once(
    workflows: tuple[Path, dict[str, Any]], run_homeport: RunHomeport
) -> None:
    folder, said = workflows
    done = run_homeport(["build", "--dry-run", "--no-skip", "--json", "-"], folder)
    built = [target["name"] for target in json.loads(done.stdout)["targets"]]
    text = (folder / ".github/workflows/docker-build.yml").read_text(encoding="utf-8")
    jobs = YAML(typ="safe").load(io.StringIO(text))["jobs"]
    named = [entry["targets"] for entry in jobs["images"]["strategy"]["matrix"]["include"]]
    named += [
        step["env"]["TARGETS"]
        for step in jobs.get("bases", {}).get("steps", ())
        if "TARGETS" in step.get("env", ())
    ]
    assert Counter(",".join(named).split(",")) == Counter(built)
    assert "leaves out event-sender" in said["warnings"][-1]


def test_a_target_that_comes_or_goes_is_noticed(
    workflows: tuple[Path, dict[str, Any]], run_homeport: RunHomeport
) -> None:
    folder, _ = workflows
    bake = folder / "docker-bake.hcl"
    text = bake.read_text(encoding="utf-8")
    bake.write_text(text.replace('"data-retention"', '"retention"'), encoding="utf-8")
    done = run_homeport(["ci.generate", "--check"], folder)
    assert done.returncode == 1, done.stderr
    assert "retention" in done.stdout
