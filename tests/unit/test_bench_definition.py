"""The definition under the bench's own names: nothing of the user's is named, written to or left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench_samples import STACK, builds
from homeport.bench.definition import Builds, Places, alone, bake_document, dockerfile, is_local
from homeport.bench.names import Names
from homeport.model.targets import Target

PLACES = Places(Path("/repo/sub"), Path("/repo"))
NAMES = Names("0a1b2c3d", "here 1 2 3")
LABELS = NAMES.labels


def made(own: Builds = STACK, *, uncached: tuple[str, ...] = ()) -> dict[str, Any]:
    names = NAMES.tags(tuple(own.definition.targets), "kind")
    return bake_document(own, names, LABELS, PLACES, uncached=uncached)


def test_names_and_labels_are_the_runs_own() -> None:
    found = made()["target"]
    assert {name: spec["tags"] for name, spec in found.items()} == {
        "base": ["homeport-bench-0a1b2c3d/kind/0-base:latest"],
        "api": ["homeport-bench-0a1b2c3d/kind/1-api:latest"],
        "web": ["homeport-bench-0a1b2c3d/kind/2-web:latest"],
    }
    assert all(spec["labels"] == dict(LABELS) for spec in found.values())
    assert made()["group"] == {"default": {"targets": ["api", "web"]}}
    assert "shop" not in str(made())


def test_names_that_are_no_names_of_images() -> None:
    found = NAMES.tags(("A_B", "a-b", "___"), "k")
    assert len({*found.values()}) == 3
    assert [one.rpartition("/")[2] for one in found.values()] == [
        "0-a-b:latest",
        "1-a-b:latest",
        "2-target:latest",
    ]


def test_nothing_is_written_to_or_read_from_other_peoples_places() -> None:
    own = builds({"a": {"context": ".", "output": [{"type": "registry"}],
                        "cache-from": ["type=gha"],
                        "cache-to": [{"type": "registry", "ref": "r"}],
                        "labels": {"x": "$${y}"}}})  # fmt: skip
    spec = made(own)["target"]["a"]
    assert not {"output", "cache-from", "cache-to"} & {*spec}
    assert spec["labels"]["x"] == "$${y}"


def test_a_tag_that_a_dockerfile_names_becomes_a_link() -> None:
    own = builds(
        {"base": {"context": "b", "tags": ["shop/base"]}, "api": {"context": "a", "tags": ["shop/api"]},
         "web": {"context": "w", "contexts": {"x": "docker-image://shop/base"}}},
        tagged={"api": {"shop/base": "base"}, "web": {"shop/base": "base"}},
    )  # fmt: skip
    found = made(own)["target"]
    assert found["api"]["contexts"] == {"shop/base": "target:base"}
    assert found["web"]["contexts"]["x"] == "target:base"


def test_uncached() -> None:
    found = made(uncached=("api",))["target"]
    assert {name for name, spec in found.items() if spec.get("no-cache")} == {"api"}


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        (".", "."),
        ("api", "api"),
        ("../shared", "../shared"),
        ("/repo/other", "../other"),
        ("/repo/sub/api", "api"),
        ("cwd://api", "api"),
        ("../../elsewhere", "/elsewhere"),
        ("/srv/data", "/srv/data"),
    ],
)
def test_paths_lead_into_the_copy_or_where_they_led(path: str, moved: str) -> None:
    assert PLACES.moved(path) == moved


def test_contexts_secrets_and_dockerfiles_are_moved() -> None:
    own = builds({"a": {"context": "/repo/sub/a", "dockerfile": "/repo/sub/a/D", "secret": [
        {"type": "file", "id": "t", "src": "token"}, "id=u,env=U"],
        "contexts": {"l": "/repo/lib", "i": "docker-image://x", "g": "https://x/y.git"}}})  # fmt: skip
    spec = made(own)["target"]["a"]
    assert (spec["context"], spec["dockerfile"]) == ("a", "D")
    assert spec["contexts"] == {"l": "../lib", "i": "docker-image://x", "g": "https://x/y.git"}
    assert spec["secret"][0]["src"] == "/repo/sub/token"
    assert spec["secret"][1] == {"id": "u", "env": "U"}


@pytest.mark.parametrize("context", ["https://github.com/a/b.git", "git@github.com:a/b", "-", "target:x"])
def test_what_is_no_folder_of_this_machine(context: str) -> None:
    assert not is_local(context)


def test_one_target_alone() -> None:
    found = alone(made(uncached=STACK.order), "api", images=True)
    assert [*found["target"]] == ["api"]
    assert found["target"]["api"]["contexts"] == {
        "base": "docker-image://homeport-bench-0a1b2c3d/kind/0-base:latest"
    }
    linked = alone(made(uncached=STACK.order), "api", images=False)["target"]
    assert linked["api"]["no-cache"] is True
    assert linked["base"]["no-cache"] is False
    assert linked["api"]["contexts"] == {"base": "target:base"}


def test_order_and_choice() -> None:
    assert STACK.order.index("base") < STACK.order.index("api")
    assert STACK.only(["web"]).order == ("web",)
    assert {*STACK.only(["api"]).order} == {"base", "api"}


def test_where_a_dockerfile_lies_in_a_copy(tmp_path: Path) -> None:
    (tmp_path / "sub" / "a").mkdir(parents=True)
    (tmp_path / "sub" / "a" / "Dockerfile").write_text("FROM x\n", encoding="utf-8")
    tree = tmp_path / "sub"
    assert dockerfile(Target("a", {"context": "a"}), tree, PLACES) == tree / "a" / "Dockerfile"
    assert dockerfile(Target("a", {"context": "b"}), tree, PLACES) is None
    assert dockerfile(Target("a", {"context": "/srv"}), tree, PLACES) is None
    assert dockerfile(Target("a", {"context": "a", "dockerfile-inline": "FROM x"}), tree, PLACES) is None
