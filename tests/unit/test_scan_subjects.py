"""Which images are scanned, and what was said of them before."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from homeport.engine.images import Image
from homeport.engine.scanner import Programs, Ready, Report, ScannerProblem
from homeport.errors import EnvironmentProblem, UsageError
from homeport.model.config import ScanConfig
from homeport.model.targets import Definition, Target
from homeport.model.vulnerability import Level, Weakness
from homeport.scan import images, results
from homeport.scan.images import Looked
from homeport.scan.subjects import Subject, Wanted, has_bake, of_services, of_targets, subjects

READY = Ready("trivy", "0.69.3", "2, 2026-11-29", "2026-11-29", 0)
REPORT = Report((Weakness("CVE-1", Level.HIGH, "zlib", "1.0", "1.1", "bad", "https://x", "/usr/lib"),), True)


def definition(**specs: dict[str, Any]) -> Definition:
    return Definition(
        MappingProxyType({name: Target(name, spec) for name, spec in specs.items()}), tuple(specs)
    )


def image(id_: str) -> Image:
    return Image(id_, frozenset())


def test_a_bake_file_decides_and_else_compose(tmp_path: Path) -> None:
    assert not has_bake(tmp_path, ())
    (tmp_path / "compose.yml").write_text("", encoding="utf-8")
    assert not has_bake(tmp_path, ())
    assert not has_bake(tmp_path, ("a.yml", "b.yaml"))
    assert has_bake(tmp_path, ("a.yml", "x.hcl"))
    (tmp_path / "docker-bake.hcl").write_text("", encoding="utf-8")
    assert has_bake(tmp_path, ())


def test_targets_by_their_first_tag_at_their_dockerfile(tmp_path: Path) -> None:
    found, warnings = of_targets(
        definition(
            api={"context": "services/api", "tags": ["team/api:1", "team/api:latest"]},
            web={"context": "cwd://web", "dockerfile": "prod.Dockerfile", "tags": ["web"]},
            far={"context": "../elsewhere", "tags": ["far"]},
            base={"context": "."},
        ),
        tmp_path,
        "docker-bake.hcl",
    )
    assert found == [
        Wanted("api", "team/api:1", "services/api/Dockerfile"),
        Wanted("web", "web", "web/prod.Dockerfile"),
        Wanted("far", "far", "docker-bake.hcl"),
    ]
    (warning,) = warnings
    assert warning.endswith("knows them: base.")


def test_targets_without_any_name_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No target has a tag"):
        of_targets(definition(a={"context": "."}), tmp_path, "")


def test_services_by_their_images(tmp_path: Path) -> None:
    build = {"context": str(tmp_path / "api"), "dockerfile": "Dockerfile"}
    document = {"services": {"api": {"image": "x-api", "build": build}, "db": {"image": "postgres:16"}}}
    assert of_services(document, (), tmp_path, "compose.yml") == [
        Wanted("api", "x-api", "api/Dockerfile"),
        Wanted("db", "postgres:16", "compose.yml", built=False),
    ]
    assert [one.target for one in of_services(document, ("db",), tmp_path, "")] == ["db"]
    with pytest.raises(UsageError, match="no service named 'dB'") as caught:
        of_services(document, ("dB",), tmp_path, "")
    assert caught.value.cause == "did you mean 'db'?"


def test_a_service_with_dots_has_the_name_of_its_target_too(tmp_path: Path) -> None:
    document = {"services": {"my.api": {"image": "a"}, "my_web": {"image": "b"}}}
    names = ("my_api", "my.api", "my.web")
    assert [one.target for one in of_services(document, names, tmp_path, "")] == ["my.api", "my_web"]
    both = {"services": {"a.b": {"image": "a"}, "a_b": {"image": "b"}}}
    for chosen in ([], ["a.b", "a_b"]):
        assert [one.reference for one in of_services(both, chosen, tmp_path, "")] == ["a", "b"]
    with pytest.raises(UsageError) as caught:
        of_services(document, ["my.apu"], tmp_path, "")
    assert caught.value.cause == "did you mean 'my.api'?"


def test_an_image_is_scanned_once_however_many_targets_have_it() -> None:
    wanted = [Wanted("a", "x:1", "a/Dockerfile"), Wanted("b", "y:1", ""), Wanted("c", "x:latest", "")]
    same = image("sha256:1")
    found = subjects(wanted, {"x:1": same, "x:latest": same, "y:1": image("sha256:2")})
    assert found == [
        Subject("sha256:1", "x:1", ("a", "c"), "a/Dockerfile"),
        Subject("sha256:2", "y:1", ("b",), ""),
    ]


@pytest.mark.parametrize(
    ("built", "hint"),
    [
        (True, "Run 'homeport build' first."),
        (False, "Run 'docker compose pull b' first, and 'homeport build'."),
    ],
)
def test_an_image_that_is_not_there_is_an_error(built: bool, hint: str) -> None:
    wanted = [Wanted("a", "x:1", ""), Wanted("b", "y:1", "", built=built), Wanted("c", "z", "")]
    with pytest.raises(EnvironmentProblem) as caught:
        subjects(wanted, {"x:1": None, "y:1": None, "z": image("sha256:3")})
    assert caught.value.what == "Not in the engine, so it can't be scanned: a (x:1), b (y:1)."
    assert (caught.value.hint, caught.value.exit_code) == (hint, 2)


# -- what was said before -----------------------------------------------------------------------------------


def test_a_result_is_known_by_image_scanner_and_database(tmp_path: Path) -> None:
    results.write(tmp_path, READY, "sha256:1", REPORT)
    assert results.read(tmp_path, READY, "sha256:1") == REPORT
    assert results.read(tmp_path, READY, "sha256:2") is None
    others = (
        replace(READY, name="grype"),
        replace(READY, version="0.70.0"),
        replace(READY, database="2, 2026-11-30"),
    )
    assert [results.read(tmp_path, other, "sha256:1") for other in others] == [None] * 3
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"image": "sha256:1", "weaknesses": [{}], "looked": true}']
)
def test_a_result_that_can_not_be_read_is_none(text: str, tmp_path: Path) -> None:
    results.write(tmp_path, READY, "sha256:1", REPORT)
    (path,) = tmp_path.iterdir()
    path.write_text(text, encoding="utf-8")
    assert results.read(tmp_path, READY, "sha256:1") is None


def test_old_results_go_and_a_folder_that_can_not_be_made_is_no_error(tmp_path: Path) -> None:
    results.write(tmp_path, READY, "sha256:1", REPORT)
    (path,) = tmp_path.iterdir()
    old = time.time() - 40 * 86_400
    os.utime(path, (old, old))
    results.write(tmp_path, READY, "sha256:2", REPORT)
    assert not path.exists()
    assert results.read(tmp_path, READY, "sha256:2") == REPORT
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    results.write(blocked / "below", READY, "sha256:1", REPORT)
    assert results.read(blocked / "below", READY, "sha256:1") is None


# -- several images -----------------------------------------------------------------------------------------


class Scanner:
    """Finds the same in every image, but for those that it can't scan."""

    shown = "a scanner"

    def __init__(self, *broken: str) -> None:
        self.broken, self.asked = broken, list[str]()

    def prepare(self, update: bool) -> Ready:
        return READY

    def scan(self, image: str, name: str) -> Report:
        self.asked.append(image)
        if image in self.broken:
            raise ScannerProblem(f"can't scan {image}")
        return REPORT


SUBJECTS = [Subject(f"sha256:{number}", f"x:{number}", (f"t{number}",), "") for number in range(5)]


def look(scanner: Scanner, folder: Path, done: list[Looked] | None = None, jobs: int = 2) -> list[Looked]:
    on_done = (done if done is not None else []).append
    with Programs(1.0) as programs:
        return images.look(scanner, READY, SUBJECTS, jobs, folder, programs, on_done)


def test_every_image_is_looked_at_in_order_and_the_second_time_none(tmp_path: Path) -> None:
    scanner, told = Scanner(), list[Looked]()
    found = look(scanner, tmp_path, told)
    assert [one.subject for one in found] == SUBJECTS
    assert {one.subject.id for one in told} == {one.id for one in SUBJECTS}
    assert sorted(scanner.asked) == [one.id for one in SUBJECTS]
    again = look(scanner, tmp_path)
    assert len(scanner.asked) == len(SUBJECTS)
    assert all(one.cached and one.report == REPORT for one in again)


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_one_that_can_not_be_scanned_ends_the_scan(jobs: int, tmp_path: Path) -> None:
    scanner = Scanner("sha256:2")
    with pytest.raises(ScannerProblem, match="can't scan sha256:2"):
        look(scanner, tmp_path, jobs=jobs)
    # What was done before isn't done again.
    before = list(scanner.asked)
    scanner.broken = ()
    look(scanner, tmp_path, jobs=jobs)
    assert len(scanner.asked) == len(SUBJECTS) + 1
    assert set(scanner.asked[len(before) :]) >= {"sha256:2"}


class Counting(Scanner):
    """Knows how many images are looked at at the same time; each waits for another one, for a moment."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.met = threading.Barrier(together)
        self.lock = threading.Lock()
        self.now = self.most = 0

    def scan(self, image: str, name: str) -> Report:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        with contextlib.suppress(threading.BrokenBarrierError):
            self.met.wait(0.5)
        with self.lock:
            self.now -= 1
        return REPORT


@pytest.mark.parametrize(("jobs", "at_once", "most"), [(2, 0, 2), (4, 0, 4), (2, 1, 1), (1, 0, 1), (2, 9, 2)])
def test_no_more_images_at_a_time_than_asked_for_and_than_the_scanner_can(
    jobs: int, at_once: int, most: int, tmp_path: Path
) -> None:
    scanner = Counting(jobs)
    ready = replace(READY, at_once=at_once)
    with Programs(1.0) as programs:
        images.look(scanner, ready, SUBJECTS, jobs, tmp_path, programs, lambda _: None)
    assert scanner.most == most


def test_an_unknown_scanner() -> None:
    with Programs(1.0) as programs, pytest.raises(UsageError, match="no scanner 'trivvy'") as caught:
        images.choose("trivvy", ScanConfig(), programs)
    assert caught.value.cause == "did you mean 'trivy'?"
