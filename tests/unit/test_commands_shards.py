"""``--shard`` takes the same targets as the matrix of ``ci.generate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeport.build import facts as reading
from homeport.ci import flow, pipeline
from homeport.commands import sharing
from homeport.errors import UsageError
from homeport.model.config import BuildConfig, CiConfig, Config
from made_up import Targets, facts

TARGETS: Targets = {
    "base": {"tags": ["x/base"]},
    "api": {"tags": ["x/api"], "contexts": {"base": "target:base"}},
    "web": {"tags": ["x/web"], "contexts": {"base": "target:base"}},
    "unnamed": {},
    "worker": {"tags": ["x/worker"]},
    "tool": {"tags": ["x/tool"]},
}


@pytest.fixture(autouse=True)
def targets(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(cwd: Path, **about: Any) -> Any:
        return facts(TARGETS, *(about["names"] or [name for name in TARGETS if name != "tool"]))

    monkeypatch.setattr(reading, "read", read)


def members(shard: str, folder: Path, config: Config, *names: str, registry: str = "") -> tuple[str, ...]:
    return sharing.members(shard, folder, config, (), names, registry)


@pytest.mark.parametrize("registry", ["", "ghcr.io/me"])
@pytest.mark.parametrize("times", ["", "times.json"])
@pytest.mark.parametrize("chosen", [(), ("api", "web", "tool")])
def test_the_same_as_in_the_workflows(
    tmp_path: Path, registry: str, times: str, chosen: tuple[str, ...]
) -> None:
    document = {
        "schema": "homeport.build/1",
        "targets": [{"name": "web", "status": "built", "seconds": 90.0}],
    }
    (tmp_path / "times.json").write_text(json.dumps(document), encoding="utf-8")
    config = Config(BuildConfig(registry=registry), ci=CiConfig(shards=2, times=times, targets=chosen))
    work, _ = sharing.work(tmp_path, files=(), names=chosen, config=config.ci)
    made = pipeline.make(work, config.ci, config.build, flow.seconds(tmp_path, config.ci))
    assert {name: members(name, tmp_path, config) for name in made.shards.named} == made.shards.named
    # It is the number of shares that counts, and not what the configuration says.
    assert members("1/1", tmp_path, config) == tuple(
        name for part in pipeline.shares(work, registry, {}, 1).parts for name in part
    )


def test_what_the_command_line_says_counts(tmp_path: Path) -> None:
    assert members("bases", tmp_path, Config(), "api", "worker") == ()
    assert members("1/2", tmp_path, Config(), "api", "worker") == ("api",)
    assert "unnamed" in members("1/1", tmp_path, Config())
    assert "unnamed" not in members("1/1", tmp_path, Config(), registry="ghcr.io/me")


def test_more_machines_than_there_is_work_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert members("9/9", tmp_path, Config()) == ()
    path = tmp_path / "out.json"
    assert sharing.show_nothing("9/9", str(path), {"targets": []}) == 0
    assert "Nothing to do: there is nothing in shard 9/9" in capsys.readouterr().out
    assert json.loads(path.read_text(encoding="utf-8")) == {"targets": []}


def test_no_shard_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--shard takes"):
        members("3/2", tmp_path, Config())
