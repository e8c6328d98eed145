"""What ``homeport build`` leaves out on a real engine, and what it says about the rest."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import skip_repository
from engine_fixtures import DockerSession, docker
from skip_repository import LABEL, STACK, STACK_FILES, Make, Repository


def test_nothing_to_do_one_change_and_a_base(make: Make) -> None:
    stack = make()
    before = skip_repository.own_records()
    assert stack.build().built == {"base", "api", "web", "other"}
    records = skip_repository.own_records()
    assert len(records - before) == 4, "this test sees which builds the engine made"

    nothing = stack.build()
    assert nothing.skipped == {"api", "web", "other"}
    assert "Nothing to build: 3 targets unchanged." in nothing.said
    assert skip_repository.own_records() <= records, "the engine was asked to build nothing at all"

    base = stack.image("base")
    stack.write("api/f", "api 2\n")
    one = stack.build()
    assert (one.built, one.skipped) == ({"api"}, {"web", "other", "base"})
    assert one.targets["base"]["why"] == "needed by api, web: unchanged, in the engine"
    assert len(skip_repository.own_records() - records) == 1
    assert stack.image("base") == base
    assert stack.out("api:1") == "base 1\napi 2"

    stack.write("base/f", "base 2\n")
    shared = stack.build()
    assert (shared.built, shared.skipped) == ({"base", "api", "web"}, {"other"})
    assert [stack.out(name) for name in ("api:1", "web:1")] == ["base 2\napi 2", "base 2\nweb 1"]

    everything = stack.build("--no-skip")
    assert everything.built == {"base", "api", "web", "other"}
    assert {target["why"].partition(": ")[2] or target["why"] for target in everything.targets.values()} == {
        "asked for with --no-skip"
    }


def test_a_change_taken_back(make: Make) -> None:
    stack = make(STACK_FILES, STACK, "api", "other")
    stack.build()
    first = {name: stack.image(name) for name in ("api:1", "other")}
    # An engine may forget at once an image that has lost its last name. This one keeps one.
    docker("tag", stack.name("other"), stack.name("kept"))
    for version in (2, 1):
        stack.write("api/f", f"api {version}\n")
        stack.write("other/f", f"other {version}\n")
        records = skip_repository.own_records()
        done = stack.build()
        if version == 2:
            assert done.built == {"api", "other"}
            assert {name: stack.image(name) for name in first} != first
    assert "other" in done.skipped
    assert done.targets["other"]["note"] == f"renamed {stack.name('other')}"
    if "api" in done.skipped:
        assert skip_repository.own_records() <= records
    else:
        assert done.targets["api"]["executed"] == 0
    assert {name: stack.image(name) for name in first} == first


IMPOSTORS = ("removed", "moved", "committed", "rebuilt", "forged")


@pytest.mark.parametrize("kept", [True, False], ids=["old image kept", "old image gone"])
def test_an_image_that_is_another_one_now(
    kept: bool, make: Make, docker_session: DockerSession, tiny_image: str
) -> None:
    """What is built on an image, or committed from it, has its label: by name and label all would do."""
    files = {f"{name}/Dockerfile": f"FROM TINY\nRUN echo {name} > /out\n" for name in IMPOSTORS}
    stack = make(files, {name: {"context": name, "tags": [f"MINE-{name}"]} for name in IMPOSTORS})
    stack.build()
    right = {name: stack.image(name) for name in IMPOSTORS}
    marks = {name: stack.labels(name)[LABEL] for name in IMPOSTORS}
    for name in IMPOSTORS if kept else ():
        docker("tag", stack.name(name), stack.name(f"{name}-kept"))

    docker("rmi", stack.name("removed"))
    docker("tag", tiny_image, stack.name("moved"))
    skip_repository.commit(stack.name("committed"), "echo patched > /out", docker_session.label)
    (stack.folder / "by-hand").write_text(f"FROM {stack.name('rebuilt')}\nRUN echo by hand > /out\n")
    docker("build", "-q", "-t", stack.name("rebuilt"), "-f", str(stack.folder / "by-hand"), str(stack.folder))
    (stack.folder / "by-hand").write_text(
        f"FROM {tiny_image}\nLABEL {LABEL}={marks['forged']}\nRUN echo forged > /out\n"
    )
    docker("build", "-q", "-t", stack.name("forged"), "-f", str(stack.folder / "by-hand"), str(stack.folder))
    for name in ("committed", "rebuilt", "forged"):
        assert stack.labels(name)[LABEL] == marks[name], "it looks right"
        assert stack.image(name) != right[name]

    done = stack.build()
    assert done.built | done.skipped == set(IMPOSTORS)
    # Built again wholly from BuildKit's cache, an image is the same one, too.
    assert {name: stack.image(name) for name in IMPOSTORS} == right
    assert stack.out("committed") == "committed"
    if kept:
        assert done.skipped == set(IMPOSTORS)
    else:
        assert "removed" in done.built
    assert stack.build().skipped == set(IMPOSTORS)


def test_no_tag_the_same_twice_and_what_nobody_can_know(make: Make, registry: str) -> None:
    """The registry stands for any web server: it answers /v2/ with an empty document."""
    stack = make(
        {
            "one/Dockerfile": "FROM TINY\nRUN echo one > /out\n",
            "url/Dockerfile": f"FROM TINY\nADD http://{registry}/v2/ /out\n",
            "on-it/Dockerfile": "FROM url\nRUN cat /out > /seen\n",
        },
        {
            "untagged": {"context": "one", "args": {"X": "not declared"}},
            "twin1": {"context": "one", "tags": ["MINE-twin1:a", "MINE-twin1:b"]},
            "twin2": {"context": "one", "tags": ["MINE-twin2"]},
            "url": {"context": "url", "tags": ["MINE-url"]},
            "on-it": {"context": "on-it", "contexts": {"url": "target:url"}, "tags": ["MINE-on-it"]},
        },
    )
    first = stack.build()
    assert len(first.built) == 5
    second = stack.build()
    assert second.built == {"url", "on-it"}
    assert second.skipped == {"untagged", "twin1", "twin2"}
    assert stack.image("twin1:a") == stack.image("twin1:b") == stack.image("twin2")
    docker("rmi", stack.name("twin1:b"), stack.name("twin2"))
    assert "twin2" in stack.build().skipped
    assert stack.image("twin1:b") == stack.image("twin2") == stack.image("twin1:a")

    explained = stack.build("--explain")
    assert explained.decisions["url"]["always_built"] == ["ADD of a URL without a checksum (line 3)"]
    assert "build url  always built: ADD of a URL without a checksum (line 3)" in explained.said
    assert explained.decisions["on-it"]["why"].startswith("always built: it builds on url: ADD of a URL")
    assert stack.labels("url")[LABEL] == stack.labels("on-it")[LABEL] == "", "nothing is promised"


def dockerfile_of(stack: Repository) -> str:
    return (stack.folder / "app/Dockerfile").read_text(encoding="utf-8")


def another_umask(stack: Repository) -> None:
    for path in (stack.folder / "app").rglob("*"):
        if path.is_file():
            path.chmod(0o600)


EXPLAINED: dict[str, tuple[Callable[[Repository], object], dict[str, str], list[str]]] = {
    "file added": (lambda stack: stack.write("app/d/new", "x"), {}, ["added d/new"]),
    "file changed": (lambda stack: stack.write("app/d/f", "x"), {}, ["changed d/f"]),
    "file removed": (lambda stack: (stack.folder / "app/d/f").unlink(), {}, ["removed d/f"]),
    "umask": (
        another_umask,
        {},
        [
            "mode 644 -> 600 d/f",
            "mode 644 -> 600 d/g",
            "only the permissions of 3 files differ (644 -> 600): checked out with another umask?",
        ],
    ),
    "argument": (lambda stack: None, {"WORD": "two"}, ["changed argument WORD", "argument WORD changed"]),
    "stage": (
        lambda stack: stack.write("app/Dockerfile", dockerfile_of(stack).replace("RUN", "RUN : &&")),
        {},
        ["changed stage 2"],
    ),
    "stage that nobody needs": (
        lambda stack: stack.write("app/Dockerfile", f"FROM scratch AS unused\n{dockerfile_of(stack)}"),
        {},
        ["changed Dockerfile"],
    ),
    "dependency": (
        lambda stack: stack.write("lib/f", "x"),
        {},
        ["changed target lib", "target lib changed", "build lib", "changed f"],
    ),
    "base image": (
        lambda stack: docker("tag", stack.name("lib"), stack.name("basis")),
        {},
        ["image MINE-basis changed", "changed image MINE-basis"],
    ),
    "odd name": (lambda stack: stack.write("app/d/a\n\x1b[31mb", "x"), {}, [r"added d/a\n\x1b[31mb"]),
}


def test_explain_names_what_changed(make: Make, tiny_image: str) -> None:
    stack = make(
        {
            "app/Dockerfile": "FROM MINE-basis AS b\nFROM b\nARG WORD\nCOPY . /src\nCOPY --from=lib /f /f\n"
            "RUN echo $WORD > /out\n",
            "app/d/f": "1",
            "app/d/g": "1",
            "lib/Dockerfile": "FROM TINY\nCOPY f /f\n",
            "lib/f": "1",
        },
        {
            "lib": {"context": "lib", "tags": ["MINE-lib"]},
            "app": {
                "context": "app",
                "contexts": {"lib": "target:lib"},
                "args": {"WORD": "${WORD}"},
                "tags": ["MINE-app"],
            },
        },
    )
    definition = (stack.folder / "docker-bake.json").read_text(encoding="utf-8")
    stack.write("docker-bake.json", '{"variable": {"WORD": {"default": "one"}}, ' + definition[1:])
    docker("tag", tiny_image, stack.name("basis"))
    stack.build()
    shutil.copytree(stack.folder, stack.folder.with_name("as it was"))
    for what, (change, env, expected) in EXPLAINED.items():
        change(stack)
        told = stack.build("--explain=app,lib", env=env)
        plain = " ".join(told.said.split())
        for words in expected:
            assert words.replace("MINE-", stack.prefix) in plain, f"{what}: {told.said}"
        assert told.decisions["app"]["action"] == "build", what
        assert "Nothing was touched." in told.said
        shutil.rmtree(stack.folder)
        shutil.copytree(stack.folder.with_name("as it was"), stack.folder)
        docker("tag", tiny_image, stack.name("basis"))
    assert set(stack.build("--explain").decisions["app"]["changes"]) == set()
    assert stack.build().skipped == {"app", "lib"}


def test_secrets_are_nowhere(make: Make) -> None:
    """Of a value there is a digest at most; what a Dockerfile itself writes into its image is its own."""
    mark = f"s3cret-{secrets.token_hex(8)}"
    stack = make(
        {
            "Dockerfile": "FROM TINY\nARG PASSWORD\nENV OTHER=1\n"
            "RUN --mount=type=secret,id=token test -s /run/secrets/token\n",
            "token": mark,
            ".dockerignore": "token\n",
        },
        {
            "app": {
                "args": {"PASSWORD": mark},
                "secret": ["id=token,src=token"],
                "labels": {"org.example.internal": "x"},
                "tags": ["MINE-app"],
            }
        },
    )
    said = []
    for args in ((), (), ("--explain",), ("--explain=app",), ("--dry-run",)):
        done = stack.build(*args)
        said.append(done.said + str(done.document))
        stack.write("Dockerfile", (stack.folder / "Dockerfile").read_text(encoding="utf-8") + "ENV MORE=1\n")
    assert mark not in "".join(said)
    labels = stack.labels("app")
    assert LABEL in labels
    assert mark not in str(labels)
    assert mark.encode() not in stack.record.read_bytes()
    with closing(sqlite3.connect(stack.record)) as record:
        listings = [zlib.decompress(row[0]) for row in record.execute("SELECT files FROM listings")]
    assert mark.encode() not in b"".join(listings)


def test_what_buildx_adds_by_itself_is_known(make: Make, tmp_path: Path) -> None:
    """Labels of the git commit where a variable asks for them, and the proxies of docker's configuration."""
    stack = make(
        {"Dockerfile": "FROM TINY\nARG HTTP_PROXY\nRUN echo proxy=$HTTP_PROXY > /out\n"},
        {"app": {"tags": ["MINE-app"]}},
    )
    config = Path(shutil.copytree(os.environ["DOCKER_CONFIG"], tmp_path / "docker-config"))
    for proxy in ("one", "two"):
        (config / "config.json").write_text(
            json.dumps({"proxies": {"default": {"httpProxy": f"http://{proxy}:1"}}}), encoding="utf-8"
        )
        assert stack.build(env={"DOCKER_CONFIG": str(config)}).built == {"app"}
        assert stack.out("app") == f"proxy=http://{proxy}:1"
    assert stack.build(env={"DOCKER_CONFIG": str(config)}).skipped == {"app"}
    labelled = stack.build(env={"DOCKER_CONFIG": str(config), "BUILDX_GIT_LABELS": "1"})
    assert labelled.built == {"app"}
    assert "BUILDX_GIT_LABELS" in labelled.targets["app"]["why"]
