"""What is verified to exist: an image by record, presence and label; a copy by tag, label and every blob."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from homeport.build import existing
from homeport.build.options import BuildOptions
from homeport.build.record import Record
from homeport.build.standing import Found
from homeport.engine import images
from homeport.engine.distribution import Distribution
from homeport.engine.images import Image
from homeport.engine.manifests import Manifest
from homeport.engine.registry import Answer
from homeport.engine.registry_problem import RegistryProblem
from homeport.model.fingerprint import LABEL, Fingerprint, digest_of, make
from made_up import Targets, facts

TARGETS: Targets = {"app": {"tags": ["x/app:1", "x/app:2"]}, "lib": {"tags": ["x/lib:1"]}}
APP, LIB = make({"a": digest_of(1)}, {}), make({"b": digest_of(2)}, {})
PRINTS = {"app": APP, "lib": LIB}


class Engine:
    """Images by id, and what their names mean; counts what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: dict[str, Image] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[list[str]] = []
        monkeypatch.setattr(images, "find", self.find)
        monkeypatch.setattr(images, "ids", self.ids_of)

    def add(self, image: str, fingerprint: str, *tags: str) -> None:
        self.ids[image] = Image(image, frozenset(tags), {LABEL: fingerprint})
        self.tags |= dict.fromkeys(tags, image)

    def find(self, references: Iterable[str]) -> dict[str, Image | None]:
        return {name: self.ids.get(self.tags.get(name, name)) for name in references}

    def ids_of(self, references: Iterable[str]) -> dict[str, str]:
        self.asked.append(list(dict.fromkeys(references)))
        return {name: image.id if image else "" for name, image in self.find(self.asked[-1]).items()}


class Registry:
    """Stands for Distribution: manifests by reference, their labels, and what is wrong with them."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.configs: dict[str, Any] = {}
        self.broken: set[str] = set()
        self.problems: dict[str, RegistryProblem] = {}

    def add(self, reference: str, digest: str, fingerprint: str = "", config: Any = None) -> None:
        self.tags[reference] = digest
        self.configs[digest] = {"config": {"Labels": {LABEL: fingerprint}}} if config is None else config

    def digest(self, reference: str) -> str:
        if reference in self.problems:
            raise self.problems[reference]
        if reference not in self.tags:
            raise RegistryProblem("absent", "")
        return self.tags[reference]

    def manifest(self, reference: str) -> Manifest:
        return Manifest(reference, self.digest(reference), "type", b"{}")

    def config(self, manifest: Manifest, platform: str) -> Mapping[str, Any]:
        assert platform == "linux/amd64"
        found: Mapping[str, Any] = self.configs[manifest.digest]
        return found

    def complete(self, manifest: Manifest) -> bool:
        return manifest.digest not in self.broken


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(monkeypatch)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "builds.sqlite")


def look_up(
    record: Record,
    far: Registry | None = None,
    prints: Mapping[str, Fingerprint] = PRINTS,
    *requested: str,
    answer: Answer | None = None,
    engine_id: str = "E",
    **options: Any,
) -> tuple[dict[str, Found], dict[str, Image | None], tuple[str, ...]]:
    told = facts(TARGETS, *requested, answer=answer, id=engine_id, platform="linux/amd64")
    tags = images.ids(tag for name in prints for tag in told.definition.targets[name].tags)
    return existing.look_up(
        told, prints, tags, BuildOptions(**options), record, cast(Distribution, far or Registry())
    )


# -- in the engine ------------------------------------------------------------------------------------------


def test_recorded_and_there(engine: Engine, record: Record) -> None:
    engine.add("sha256:1", APP.digest, "x/app:1", "x/app:2")
    record.write("E", "/", [("app", APP, "sha256:1")])
    found, current, warnings = look_up(record)
    assert found == {"app": Found("sha256:1")}
    assert current == {"lib": None}
    assert warnings == ()


def test_an_image_that_is_gone(engine: Engine, record: Record) -> None:
    engine.add("sha256:2", "another", "x/app:1", "x/app:2")
    record.write("E", "/", [("app", APP, "sha256:1")])
    found, current, _ = look_up(record)
    assert found == {}
    assert current == {"app": engine.ids["sha256:2"], "lib": None}


def test_a_label_alone_is_not_enough(engine: Engine, record: Record) -> None:
    # Whatever is built on an image, by any tool, inherits its labels.
    engine.add("sha256:2", APP.digest, "x/app:1", "x/app:2")
    assert look_up(record)[0] == {}
    record.write("E", "/", [("app", APP, "sha256:1")])
    assert look_up(record)[0] == {}


def test_names_that_mean_something_else_are_to_be_moved(engine: Engine, record: Record) -> None:
    engine.add("sha256:1", APP.digest)
    engine.add("sha256:2", "other", "x/app:1")
    record.write("E", "/", [("app", APP, "sha256:1")])
    assert look_up(record)[0] == {"app": Found("sha256:1", ("x/app:1", "x/app:2"))}
    assert engine.asked == [["x/app:1", "x/app:2", "x/lib:1"], ["sha256:1"]]


def test_the_latest_of_several_images_that_is_still_there(engine: Engine, record: Record) -> None:
    for image in ("sha256:1", "sha256:2", "sha256:3"):
        record.write("E", f"/{image}", [("app", APP, image)])
    engine.add("sha256:1", APP.digest)
    engine.add("sha256:2", APP.digest)
    assert look_up(record)[0]["app"].image == "sha256:2"


@pytest.mark.parametrize("engine_id", ["", "another"])
def test_another_engine_has_its_own_images(engine: Engine, record: Record, engine_id: str) -> None:
    engine.add("sha256:1", APP.digest, "x/app:1")
    record.write("E", "/", [("app", APP, "sha256:1")])
    found, current, _ = look_up(record, engine_id=engine_id)
    assert found == {}
    assert current["app"] is not None


def test_what_is_unknown_is_nowhere(engine: Engine, record: Record) -> None:
    unknown = make({"a": digest_of(1)}, {}, ["no"])
    engine.add("sha256:1", unknown.digest, "x/app:1")
    record.write("E", "/", [("app", unknown, "sha256:1")])
    registry = Registry()
    registry.add(f"r.io/me/x/app:{unknown.tag}", "sha256:1", unknown.digest)
    found, current, _ = look_up(record, registry, {"app": unknown}, "app", registry="r.io/me")
    assert (found, set(current)) == ({}, {"app"})


# -- in a registry ------------------------------------------------------------------------------------------

OK = Answer("ok")
WHERE = f"r.io/me/x/app:{APP.tag}"


def in_registry(far: Registry, record: Record, **more: Any) -> tuple[Found | None, tuple[str, ...]]:
    options = {"answer": OK, "registry": "r.io/me", **more}
    found, _, warnings = look_up(record, far, {"app": APP}, "app", **options)
    return found.get("app"), warnings


@pytest.mark.usefixtures("engine")
def test_a_whole_copy_under_its_content_tag(record: Record) -> None:
    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    found, warnings = in_registry(registry, record)
    assert found is not None
    assert (found.image, found.digest, found.in_registry) == ("", "sha256:9", "r.io/me/x/app@sha256:9")
    assert (found.copies[0].moves, warnings) == ((), ())


@pytest.mark.usefixtures("engine")
def test_names_beside_it_are_moved_by_a_push_only(record: Record) -> None:
    def moves(*, push: bool) -> tuple[str, ...]:
        found, _ = in_registry(registry, record, push=push)
        assert found is not None
        return found.copies[0].moves

    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    registry.tags |= {"r.io/me/x/app:1": "sha256:9", "r.io/me/x/app:2": "sha256:8"}
    assert moves(push=True) == ("r.io/me/x/app:2",)
    del registry.tags["r.io/me/x/app:1"]
    assert moves(push=True) == ("r.io/me/x/app:1", "r.io/me/x/app:2")
    assert moves(push=False) == ()


CONFIGS: list[Any] = [{}, {"config": None}, {"config": []}, {"config": 1}, {"config": {"Labels": None}}]
CONFIGS += [{"config": {"Labels": ["x"]}}, {"config": {"Labels": {LABEL: 1}}}, {"config": {"Labels": "x"}}]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("config", [*CONFIGS, {"config": {"Labels": {LABEL: LIB.digest}}}])
def test_a_tag_that_somebody_moved(record: Record, config: Any) -> None:
    registry = Registry()
    registry.add(WHERE, "sha256:9", config=config)
    found, warnings = in_registry(registry, record)
    assert found is None
    assert "not whole" in warnings[0]


@pytest.mark.usefixtures("engine")
def test_a_copy_with_blobs_missing(record: Record) -> None:
    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    registry.broken.add("sha256:9")
    found, warnings = in_registry(registry, record)
    assert (found, len(warnings)) == (None, 1)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("at", [WHERE, "r.io/me/x/app:1"])
def test_a_registry_that_cannot_tell(record: Record, at: str) -> None:
    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    registry.problems[at] = RegistryProblem("down", "it doesn't answer in time")
    found, warnings = in_registry(registry, record, push=True)
    assert found is None
    assert warnings == (
        "The registry of r.io/me/x/app can't tell what it has (it doesn't answer in time): building instead.",
    )


@pytest.mark.usefixtures("engine")
def test_nothing_under_the_content_tag_is_no_warning(record: Record) -> None:
    assert in_registry(Registry(), record) == (None, ())


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("answer", [Answer("down", "refused"), Answer("login", "why")])
def test_a_registry_that_is_known_to_be_down_is_not_asked(record: Record, answer: Answer) -> None:
    registry = Registry()
    registry.problems[WHERE] = RegistryProblem("broken", "asked all the same")
    assert in_registry(registry, record, answer=answer) == (None, ())


def test_what_is_in_the_engine_is_looked_for_in_the_registry_to_push_it_only(
    engine: Engine, record: Record
) -> None:
    engine.add("sha256:1", APP.digest, "x/app:1", "x/app:2")
    record.write("E", "/", [("app", APP, "sha256:1")])
    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    assert in_registry(registry, record)[0] == Found("sha256:1")
    found, _ = in_registry(registry, record, push=True)
    assert found is not None
    assert (found.image, len(found.copies), found.digest) == ("sha256:1", 1, "sha256:1")


@pytest.mark.usefixtures("engine")
def test_a_target_in_two_repositories_must_be_in_both(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TARGETS, "app", {"tags": ["x/app:1", "y/app:1"]})
    registry = Registry()
    registry.add(WHERE, "sha256:9", APP.digest)
    assert in_registry(registry, record)[0] is None
    registry.add(f"r.io/me/y/app:{APP.tag}", "sha256:9", APP.digest)
    found, _ = in_registry(registry, record)
    assert found is not None
    assert len(found.copies) == 2
