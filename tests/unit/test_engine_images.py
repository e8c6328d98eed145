"""Images as the engine describes them, asked directly or through the docker command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from homeport.engine import api, images, process
from homeport.engine.images import Image, find, parse
from homeport.engine.process import Completed

APP: dict[str, Any] = {
    "Id": "sha256:aaa",
    "RepoTags": ["x/app:1", "127.0.0.1:5000/app:latest"],
    "RepoDigests": ["x/app@sha256:d1", "127.0.0.1:5000/app@sha256:d2"],
    "Config": {"Labels": {"key": "value"}, "OnBuild": ["RUN x"]},
}
HISTORIES: dict[str, list[dict[str, Any]]] = {
    "x/app:1": [{"Id": "sha256:aaa"}, {"Id": "<missing>"}],
    "127.0.0.1:5000/app:latest": [{"Id": "<missing>"}],
}
TINY: dict[str, Any] = {"Id": "sha256:bbb", "RepoTags": None, "RepoDigests": None, "Config": None}


def test_what_an_image_is() -> None:
    assert parse(APP) == Image(
        "sha256:aaa",
        frozenset(
            {
                "docker.io/x/app:1",
                "127.0.0.1:5000/app:latest",
                "docker.io/x/app@sha256:d1",
                "127.0.0.1:5000/app@sha256:d2",
            }
        ),
        {"key": "value"},
        ("RUN x",),
        ("x/app@sha256:d1", "127.0.0.1:5000/app@sha256:d2"),
    )
    assert parse(TINY) == Image("sha256:bbb", frozenset())
    assert parse({"Config": {"Labels": None, "OnBuild": None}}) == Image("", frozenset())


@pytest.mark.parametrize(
    ("reference", "digest"),
    [
        ("x/app", "sha256:d1"),
        ("docker.io/x/app:whatever", "sha256:d1"),
        ("127.0.0.1:5000/app:latest", "sha256:d2"),
        ("x/app@sha256:d1", "sha256:d1"),
        ("other", "sha256:aaa"),  # known by no registry under this name: its own id
    ],
)
def test_the_digest_under_a_name(reference: str, digest: str) -> None:
    assert parse(APP).digest_for(reference) == digest


# -- asked directly -----------------------------------------------------------------------------------------


class Engine:
    """Answers what it has, and counts how it was asked."""

    def __init__(self, *documents: dict[str, Any], direct: bool = True, status: int = 404) -> None:
        self.known = {
            name: found for found in documents for name in (found["Id"], *(found["RepoTags"] or ()))
        }
        self.direct, self.status = direct, status
        self.commands: list[list[str]] = []

    def get_all(self, paths: Iterable[str]) -> list[tuple[int, Any]]:
        if not self.direct:
            raise api.NoDirectWay
        wanted = [path.removeprefix("/images/").rpartition("/")[::2] for path in paths]
        return [
            (200, HISTORIES.get(name, []) if what == "history" else self.known[name])
            if name in self.known
            else (self.status, {})
            for name, what in wanted
        ]

    def run(self, argv: Sequence[str], **_: Any) -> Completed:
        self.commands.append(list(argv))
        found = [self.known[name] for name in argv if name in self.known]
        wanted = argv[argv.index("--") + 1 :]
        return Completed(
            tuple(argv), int(len(found) < len(wanted)), json.dumps(found), "Error: No such image"
        )


def use(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(api, "get_all", engine.get_all)
    monkeypatch.setattr(process, "run", engine.run)
    return engine


@pytest.mark.parametrize("direct", [True, False])
def test_found_and_not(direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Engine(APP, TINY, direct=direct), monkeypatch)
    assert find(["x/app:1", "nothing:1", "sha256:bbb", "x/app:1"]) == {
        "x/app:1": parse(APP),
        "nothing:1": None,
        "sha256:bbb": parse(TINY),
    }


def test_nothing_wanted_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine(direct=False), monkeypatch)
    assert (find([]), engine.commands) == ({}, [])


def test_an_engine_that_fails_is_asked_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine(APP, status=500), monkeypatch)
    assert find(["x/app:1", "nothing"]) == {"x/app:1": parse(APP), "nothing": None}
    assert engine.commands == [["docker", "image", "inspect", "--", "x/app:1", "nothing"]]


def test_the_command_answers_under_any_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Completed((), 0, json.dumps([{**APP, "RepoTags": ["app:latest"]}]), "")
    monkeypatch.setattr(process, "run", lambda *_, **__: done)
    monkeypatch.setattr(api, "get_all", Engine(direct=False).get_all)
    assert find(["app", "docker.io/library/app"]).keys() == {"app", "docker.io/library/app"}
    assert None not in find(["app", "docker.io/library/app", "docker.io/library/app:latest"]).values()


@pytest.mark.parametrize("said", ["", "[]", "Cannot connect to the Docker daemon"])
def test_a_command_that_says_nothing_useful(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: Completed((), 1, said, ""))
    monkeypatch.setattr(api, "get_all", Engine(direct=False).get_all)
    assert find(["a"]) == {"a": None}


def test_other_names_and_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    codes = iter([0, 1, 0, 1])

    def run(argv: Sequence[str], **_: Any) -> Completed:
        asked.append(list(argv))
        return Completed(tuple(argv), next(codes), "", "first\nlast words\n")

    monkeypatch.setattr(process, "run", run)
    assert [images.tag("sha256:1", "a"), images.tag("sha256:1", "b")] == [True, False]
    assert [images.pull("r/x@sha256:1"), images.pull("r/x")] == [(True, "last words"), (False, "last words")]
    assert asked[0] == ["docker", "image", "tag", "sha256:1", "a"]
    assert asked[2] == ["docker", "pull", "--quiet", "r/x@sha256:1"]


@pytest.mark.parametrize(("direct", "status"), [(True, 404), (True, 500), (False, 404)])
def test_ids_alone(monkeypatch: pytest.MonkeyPatch, *, direct: bool, status: int) -> None:
    """By the first entry of the history; where that has no id, or there is no history, as all else."""
    use(Engine(APP, TINY, direct=direct, status=status), monkeypatch)
    asked = ["x/app:1", "127.0.0.1:5000/app:latest", "sha256:bbb", "gone"]
    assert images.ids(asked) == dict(zip(asked, ["sha256:aaa", "sha256:aaa", "sha256:bbb", ""], strict=True))
    assert images.ids([]) == {}
