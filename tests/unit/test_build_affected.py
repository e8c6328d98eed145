"""Which targets changed files can affect: by COPY's patterns, ignore files, and what builds on what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeport.build.affected import Touched, affected
from homeport.model.reading import Source
from homeport.sources.context import Contexts, ignore_files


def touched(root: Path, *sources: str, context: str = ".", parents: bool = False) -> Touched:
    """A target that copies ``sources`` of a context, with a Dockerfile in it."""
    folder = root / context
    dockerfile = folder / "Dockerfile"
    reads = Contexts().read(folder, dockerfile, tuple(Source("", path, parents) for path in sources))
    return Touched((reads,), tuple(map(str, (dockerfile, *ignore_files(folder, dockerfile)))))


def reason(root: Path, target: Touched, *changed: str) -> str | None:
    return affected({"app": target}, {"app": ()}, [str(root / path) for path in changed]).get("app")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("src/main.py", "src/deep/x.py", "docs/a.md", "other/b.py", "Dockerfile"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path, encoding="utf-8")
    return Path(os.path.realpath(tmp_path))


@pytest.mark.parametrize(
    ("sources", "changed", "expected"),
    [
        (("src",), "src/main.py", True),
        (("src/",), "src/deep/x.py", True),
        (("src",), "src/gone.py", True),  # deleted, or new: it is the pattern that counts
        (("src",), "other/b.py", False),
        (("src",), "srcs/x", False),
        (("src/main.py",), "src/deep/x.py", False),
        (("src/*.py",), "src/new.py", True),
        (("src/*.py",), "src/new.txt", False),
        (("src/*",), "src/deep/y.py", True),
        (("*",), "docs/a.md", True),
        ((".",), "anything/at/all", True),
        (("/",), "anything", True),
        (("src/../docs",), "docs/a.md", True),
        (("src/deep",), "src", True),  # a submodule, or a link in the folder's place
        ((), "src/main.py", False),
        ((), "Dockerfile", True),
        ((), "Dockerfile.dockerignore", True),
        ((), ".dockerignore", True),
    ],
)
def test_what_a_copy_takes(root: Path, sources: tuple[str, ...], changed: str, expected: bool) -> None:
    assert (reason(root, touched(root, *sources), changed) is not None) is expected


def test_what_is_ignored_affects_nothing(root: Path) -> None:
    (root / ".dockerignore").write_text("docs\n!docs/keep.md\n", encoding="utf-8")
    target = touched(root, ".")
    assert reason(root, target, "docs/a.md", "docs/new.md") is None
    assert reason(root, target, "docs/keep.md") == "keep.md changed"


def test_a_link_leads_to_what_counts(root: Path) -> None:
    (root / "link").symlink_to("other")
    target = touched(root, "link/b.py")
    assert reason(root, target, "other/b.py") == "b.py changed"
    assert reason(root, target, "link") == "link changed"
    assert reason(root, target, "src/main.py") is None


def test_patterns_of_parents_take_everything_that_is_visible(root: Path) -> None:
    assert reason(root, touched(root, "**/*.py", parents=True), "docs/a.md") == "a.md changed"


def test_another_folder_is_no_part_of_the_context(root: Path) -> None:
    target = touched(root, ".", context="src")
    (root / "src" / "Dockerfile").touch()
    assert reason(root, target, "src/main.py") == "main.py changed"
    assert reason(root, target, "srcother/x", "docs/a.md") is None
    assert reason(root, target, "src") == "its context changed"


DEFINITIONS = (
    *("docker-bake.hcl", "docker-bake.override.json", "vars.hcl", ".env"),
    *("compose.yaml", "compose.prod.yaml", "docker-compose.override.yml", "my-compose.yml"),
    "domains/x/compose.yml",
)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_changed_definition_affects_everything(root: Path, name: str) -> None:
    assert reason(root, touched(root, "src"), name) == f"{Path(name).name} changed"


@pytest.mark.parametrize("name", ["composer.json", "decompose.py", "bake.py", "env", "compost.yml"])
def test_what_only_looks_like_a_definition(root: Path, name: str) -> None:
    assert reason(root, touched(root, "src"), name) is None


def test_dependents_are_affected_and_say_by_what(root: Path) -> None:
    targets = {"base": touched(root, "src"), "mid": Touched(), "leaf": Touched(), "apart": Touched()}
    needs = {"base": (), "mid": ("base",), "leaf": ("mid",), "apart": ()}
    found = affected(targets, needs, [str(root / "src/main.py")])
    assert found == {"base": "main.py changed", "mid": "builds on base", "leaf": "builds on base"}


def test_what_nobody_knows_is_affected(root: Path) -> None:
    assert affected({"app": Touched(unknown=True)}, {"app": ()}, []) == {"app": "nobody knows what it reads"}
