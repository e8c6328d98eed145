"""The benchmark's own arithmetic: limits, counts, the table, and the repository that is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import fixture
import machines
import report
import runs
import second_engine
from runs import Measured

MACHINE = dict.fromkeys(("date", "cores", "system", "engine", "buildx", "compose", "python"), "?")


def measured(own: list[float | None], bake: list[float | None]) -> Measured:
    limits = (runs.under(1), runs.part_of("bake", 15))
    return Measured("warm", "50 targets", limits, {"homeport": own, "bake": bake})


def verdicts(item: Measured) -> list[bool | None]:
    return [item.judged(limit)[1] for limit in item.limits]


@pytest.mark.parametrize(
    ("own", "bake", "expected"),
    [
        ([0.2, 0.9, 0.2], [3.0, 3.0, 3.1], [True, True]),
        ([1.0, 1.0, 0.1], [15.0, 15.0, 1.0], [False, True]),  # "under" is less than, "at most" isn't
        ([0.5], [7.0], [True, False]),
        ([0.5], [None], [True, None]),
        ([None, 0.1], [30.0, 30.0], [False, False]),  # a failure is never quick enough
        ([], [], [None, None]),
    ],
)
def test_limits(own: list[float | None], bake: list[float | None], expected: list[bool | None]) -> None:
    assert verdicts(measured(own, bake)) == expected


def test_what_went_wrong_is_within_no_limit() -> None:
    item = measured([0.1], [30.0])
    item.wrong = "svc000 is skipped instead of built"
    assert verdicts(item) == [False, False]


def page(*items: Measured) -> str:
    document = json.loads(json.dumps(report.document(items, MACHINE, 1)))
    return report.markdown(document)


def test_the_page_shows_what_was_missed_and_what_was_met() -> None:
    text = page(measured([0.9], [3.0]))
    assert "| 50 targets | homeport | 0.90 s | 0.90 to 0.90 s |  | under 1 s: met |" in text
    assert "| 50 targets | bake | 3.00 s | 3.00 to 3.00 s | 0.30 | at most 1/15: **missed** |" in text


def test_the_page_keeps_a_place_for_what_could_not_be_measured() -> None:
    item = Measured("fresh", "fresh machine", (runs.part_of("bake", 10),), unavailable="it needs root")
    text = page(item)
    assert "| fresh machine | bake | | | | at most 1/10: not measured |" in text
    assert "could not be measured here: it needs root" in text


def test_the_page_tells_of_a_wrong_result() -> None:
    item = measured([0.1], [30.0])
    item.wrong = "svc000 is skipped instead of built"
    text = page(item)
    assert "went wrong" in text
    assert item.wrong in text
    assert ": met" not in text


def test_without_a_second_engine_the_scenario_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_engine, "why_not", lambda: "a second engine needs root")
    found = list(machines.fresh("tiny", 50, 1, list(runs.TOOLS)))
    assert "could not be measured here: a second engine needs root" in page(*found)
    assert "at most 1/10: not measured" in page(*found)


def document(**status: str) -> dict[str, Any]:
    return {"targets": [{"name": name, "status": value} for name, value in status.items()]}


def test_homeports_json_is_held_against_what_is_expected() -> None:
    said = document(a="built", b="skipped")
    assert runs.disagreement(said, {"a"}, {"b"}) == ""
    assert runs.disagreement(said, {"a", "b"}, ()) == "1 targets: b is skipped instead of built"
    assert runs.disagreement(said, {"a"}, ()) == "1 targets: b is skipped instead of left alone"
    assert runs.disagreement(said, {"a", "c"}, {"b"}) == "1 targets: c is not there instead of built"


def test_steps_that_bake_executed() -> None:
    log = """\
#4 [svc0 2/3] RUN echo cached
#4 CACHED
#5 [base 3/3] RUN echo fetched
#5 sha256:9b7c29 112B / 112B 0.0s done
#5 extracting sha256:9b7c29 done
#5 DONE 0.1s
#6 [svc1 1/3] COPY app.txt /app.txt
#6 DONE 0.0s
#7 [svc1 2/3] RUN echo executed
#7 ...
#7 [svc1 2/3] RUN echo executed
#7 DONE 1.3s
"""
    assert machines.executed(log) == ["7"]


def test_a_second_base_has_its_own_dependents(tmp_path: Path) -> None:
    made = fixture.write(tmp_path, fixture.Shape(5, "tiny", second_base=2), "seed", prefix="me", mark="1")
    assert made.on == {"base": ("svc000", "svc001", "svc002"), "base2": ("svc003", "svc004")}
    bake = json.loads((tmp_path / "docker-bake.json").read_text(encoding="utf-8"))
    assert bake["target"]["svc003"]["contexts"] == {"base2": "target:base2"}
    assert bake["target"]["svc003"]["tags"] == [made.tag("svc003")] == ["me/svc003:latest"]
    assert bake["target"]["base2"]["labels"] == {fixture.LABEL: "1"}


def test_a_shared_context_has_about_as_many_files_as_asked_for(tmp_path: Path) -> None:
    fixture.write(tmp_path, fixture.Shape(7, "tiny", files=300), "seed", prefix="me", mark="1")
    assert 280 < sum(path.is_file() for path in tmp_path.rglob("*")) < 330
    bake = json.loads((tmp_path / "docker-bake.json").read_text(encoding="utf-8"))
    assert (bake["target"]["svc001"]["context"], bake["target"]["svc001"]["dockerfile"]) == (
        ".",
        "svc001/Dockerfile",
    )


def test_homeports_cache_is_kept_apart_and_dockers_settings_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", "/the/persons")
    variables = runs.separate(tmp_path)
    assert variables["DOCKER_CONFIG"] == "/the/persons"
    assert {str(tmp_path) in variables[name] for name in ("HOME", "XDG_CACHE_HOME")} == {True}
