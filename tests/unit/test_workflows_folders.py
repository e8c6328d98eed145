"""Workflows of a stack that is in a folder of its repository, and of one among several."""

from __future__ import annotations

import io
from typing import Any

import pytest
from ruamel.yaml import YAML

from homeport.ci import github, gitlab
from homeport.ci.pipeline import Work, make
from homeport.errors import UsageError
from homeport.model.config import BuildConfig, CiConfig

WORK = Work({"base": (), "api": ("base",), "web": ("base",)}, ("base", "api", "web"))
REGISTRY = BuildConfig(registry="ghcr.io/me")
SHOP = make(WORK, CiConfig(homeport="../.."), REGISTRY, {}, "apps/my shop")
NAMED = make(WORK, CiConfig(name="shop"), REGISTRY, {}, "apps/shop")


def workflows(texts: dict[str, str]) -> dict[str, Any]:
    return {path: YAML(typ="safe").load(io.StringIO(text)) for path, text in texts.items()}


def test_every_command_runs_in_the_folder() -> None:
    for workflow in workflows(github.files(SHOP)).values():
        assert workflow["defaults"]["run"] == {"shell": "bash", "working-directory": "apps/my shop"}
        for job in workflow["jobs"].values():
            assert "defaults" not in job
            assert not [step for step in job.get("steps", ()) if "working-directory" in step]
    top = make(WORK, CiConfig(), REGISTRY, {})
    assert "working-directory" not in "".join(github.files(top).values())


def test_reports_are_kept_from_where_they_are_written() -> None:
    for path, workflow in workflows(github.files(SHOP)).items():
        kept = [
            step["with"]["path"]
            for job in workflow["jobs"].values()
            for step in job.get("steps", ())
            if "upload-artifact@" in step.get("uses", "")
        ]
        # An action knows nothing of defaults.run: its paths start at the top level.
        assert kept == ["apps/my shop/report"] * len(kept), path


def test_the_same_for_gitlab() -> None:
    (text,) = gitlab.files(SHOP).values()
    document = YAML(typ="safe").load(io.StringIO(text))
    before = document[".install"]["before_script"]
    assert before[-2:] == ["cd 'apps/my shop'", "python -m pip install ../.."]
    for name in (".unit-tests", "stack-tests"):
        assert document[name]["artifacts"]["paths"] == ["apps/my shop/report"]
        assert document[name]["artifacts"]["reports"] == {"junit": "apps/my shop/report/junit.xml"}
    with pytest.raises(UsageError, match="of no use at GitLab"):
        gitlab.files(NAMED)


def test_what_is_unique_in_a_repository_has_the_name_of_the_stack() -> None:
    mine, others = workflows(github.files(NAMED)), workflows(github.files(SHOP))
    assert not mine.keys() & others.keys()
    assert not {one["name"] for one in mine.values()} & {one["name"] for one in others.values()}
    groups = [one["concurrency"]["group"] for one in (*mine.values(), *others.values())]
    assert len({*groups}) == len(groups)
    build = mine[".github/workflows/shop-docker-build.yml"]
    called = [job["uses"].removeprefix("$/") for job in build["jobs"].values() if "uses" in job]
    assert len(called) == 2
    assert {*called} < mine.keys()
    scans = mine[".github/workflows/shop-docker-security-scan.yml"]["jobs"]["code-scanning"]["steps"]
    assert scans[-1]["with"]["category"] == "shop-homeport"
