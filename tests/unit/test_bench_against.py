"""An earlier run read back: only a real one, and what makes it another one is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench_samples import ENVIRONMENT, document, figure, figures
from homeport.bench import show
from homeport.bench.against import read
from homeport.bench.figures import State
from homeport.errors import UsageError


def written(path: Path, content: Any) -> str:
    file = path / "old.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(file)


def test_what_bench_writes_can_be_read_back(tmp_path: Path) -> None:
    own = figures(
        figure("parallel", 1.0, 2.0, 4.0),
        figure("sequential", 9.0, state=State.FAILED, reason="round 2: web: exit code 1"),
        figure("fresh", reason="no registry"),
    )
    about = {"environment": ENVIRONMENT, "targets": ["api"], "services": []}
    found = read(written(tmp_path, show.document(own, (), (), (), about)))
    # What failed was no measurement.
    assert found.values == {"parallel": (1.0, 2.0, 4.0)}
    assert found.medians == {"parallel": 2.0}
    assert found.targets == ("api",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[1]", "schema is None"),
        ("[" * 5000, "no JSON"),
        ({}, "schema is None"),
        ({"schema": "homeport.build/1"}, "'homeport.build/1'"),
        ({"schema": "homeport.bench/1"}, "KeyError"),
        (document({}, figures=[1]), "TypeError"),
        (document({}, figures=[{"key": "parallel", "state": "measured", "values": ["x"]}]), "ValueError"),
        (document({"parallel": [-1]}), "nothing takes"),
        (document({"parallel": [float("nan")]}), "nothing takes"),
        (document({"parallel": [1]}, environment=[]), "AttributeError"),
    ],
)
def test_garbage(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(written(tmp_path, content))
    assert said in caught.value.cause
    assert "homeport bench --json" in caught.value.hint


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="can't be read"):
        read(str(tmp_path))


def test_what_makes_runs_hard_to_compare(tmp_path: Path) -> None:
    found = read(written(tmp_path, document({"parallel": [1]})))
    same = (("api", "base", "web"), ("api", "db", "web"))
    assert found.differences(ENVIRONMENT, *same) == ()
    other = found.differences({**ENVIRONMENT, "cores": "16"}, ("api",), same[1])
    assert [text.partition(" ")[0] for text in other] == ["cores", "The"]
    assert "was 2 then, and is 16 now" in other[0]
    assert "3 then, 1 now" in other[1]
