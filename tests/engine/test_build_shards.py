"""``--shard`` on the example stack, with the real bake."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from engine_fixtures import RunHomeport, Sandbox

ROOT = Path(__file__).resolve().parents[2]
SHARDS = ("bases", "1/3", "2/3", "3/3")


@pytest.fixture
def example(sandbox: Sandbox, registry: str) -> Path:
    folder = sandbox(ROOT / "examples" / "homeiq")
    (folder / "homeport.toml").write_text(
        f'[build]\nregistry = "{registry}"\n[ci]\nshards = 3\n', encoding="utf-8"
    )
    return folder


def pushed(run_homeport: RunHomeport, folder: Path, *options: str) -> list[str]:
    """The targets that would be built for their own sake, and not only because others build on them."""
    done = run_homeport(["build", "--dry-run", "--no-skip", "--push", "--json", "-", *options], folder)
    assert done.returncode == 0, done.stderr
    return [one["name"] for one in json.loads(done.stdout)["targets"] if one["pushes"]]


def test_each_target_is_in_one_shard_and_in_the_same_one_as_in_the_workflows(
    example: Path, run_homeport: RunHomeport
) -> None:
    found = {shard: pushed(run_homeport, example, "--shard", shard) for shard in SHARDS}
    assert all(found.values())
    together = Counter(name for names in found.values() for name in names)
    assert together == Counter(pushed(run_homeport, example))
    assert run_homeport(["ci.generate"], example).returncode == 0
    text = (example / ".github" / "workflows" / "docker-test.yml").read_text(encoding="utf-8")
    matrix = YAML(typ="safe").load(io.StringIO(text))["jobs"]["unit"]["strategy"]["matrix"]["include"]
    listed = {entry["shard"]: sorted(entry["targets"].split(",")) for entry in matrix}
    assert listed == {shard: sorted(names) for shard, names in found.items()}


def test_tests_of_a_shard(example: Path, run_homeport: RunHomeport) -> None:
    tested: Counter[str] = Counter()
    for shard in (*SHARDS, ""):
        options = ["--shard", shard] if shard else []
        done = run_homeport(["test", "--only", "unit", "--dry-run", "--json", "-", *options], example)
        assert done.returncode == 0, done.stderr
        names = Counter(one["target"] for one in json.loads(done.stdout)["unit"])
        tested = tested + names if shard else tested - names
    assert not tested


def test_a_shard_with_nothing_in_it(example: Path, run_homeport: RunHomeport) -> None:
    for command in ("build", "test"):
        done = run_homeport([command, "--shard", "99/99"], example)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Nothing to do: there is nothing in shard 99/99")
    done = run_homeport(["build", "--shard", "4/3"], example)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--shard takes N/M or 'bases', not '4/3'." in done.stderr
