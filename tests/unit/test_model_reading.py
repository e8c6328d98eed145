"""Which stages a build needs, and which images and contexts they name; what they read: the files beside this.

Rules: https://docs.docker.com/reference/dockerfile/, and moby/buildkit dockerfile2llb/convert.go.
"""

from __future__ import annotations

import string
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.dockerfile import parse
from homeport.model.instruction import DockerfileSyntaxError
from homeport.model.reading import Reading, platform_args, read


def reading(text: str, **more: Any) -> Reading:
    return read(parse(textwrap.dedent(text)), **{"platform": platform_args("linux/arm64"), **more})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM alpine", ("alpine",)),
        ("from alpine as Build\nFROM build", ("alpine",)),
        ("FROM --platform=$BUILDPLATFORM golang:1 AS b\nFROM scratch\nCOPY --from=b /x /", ("golang:1",)),
        ("FROM scratch", ()),
        ("FROM a\nCOPY --from=tools:2 /x /x", ("a", "tools:2")),
        ("FROM a\nCOPY --chown=1:1 --from=tools:2 --link /x /x", ("a", "tools:2")),
        ("FROM a\nRUN --mount=type=bind,from=lib:1,target=/x true", ("a", "lib:1")),
        ("FROM a\nRUN --mount=type=cache,target=/x --mount=from=lib,target=/y true", ("a", "lib")),
        ("FROM a AS one\nFROM b AS two\nCOPY --from=0 /x /x", ("a", "b")),
        ("FROM a AS one\nFROM b", ("b",)),
        ("FROM a\nFROM b\nFROM c\nCOPY --from=1 /x /", ("b", "c")),
        ("ARG V=3\nFROM py:${V}-slim", ("py:3-slim",)),
        ("ARG V\nFROM py:${V:-9}", ("py:9",)),
        ("ARG V=1\nFROM py:${V:+x}", ("py:x",)),
        ("ARG REG\nARG IMG=${REG}lib\nFROM $IMG", ("lib",)),
        ('ARG V="3.12"\nFROM py:$V', ("py:3.12",)),
        ("ARG A=1 B=2\nFROM x:$A$B", ("x:12",)),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM `\n  win:1", ("win:1",)),
        ("FROM \\\n# a comment inside\n\n  linux:1", ("linux:1",)),
        ("FROM a\nRUN <<EOF\nFROM no\nCOPY --from=nor-this x y\nEOF\nCOPY --from=b x y", ("a", "b")),
        ("FROM a\nRUN <<-'X' cat\n\tFROM no\n\tX\nFROM b", ("b",)),
        ("FROM a\nCOPY <<one <<two /x/\n1\none\nFROM no\ntwo\nCOPY --from=z q q", ("a", "z")),
        ("FROM a\nRUN echo $((1<<n))\nFROM b", ("b",)),
        ('FROM a\nRUN echo "see <<EOF"\nFROM b', ("b",)),
        ("FROM a\nRUN 3<<EOF cat\nFROM no\nEOF\nFROM b", ("b",)),
        ('FROM "quoted:1"\nCOPY --from="tools:1" a b', ("quoted:1", "tools:1")),
        ('FROM a\nRUN --mount=type=bind,"from=lib:1",target=/m true', ("a", "lib:1")),
        ("FROM base-$TARGETARCH", ("base-arm64",)),
        ("\ufeffFROM bom", ("bom",)),
        ("FROM a\r\nCOPY --from=b x y\r\n", ("a", "b")),
        ("FROM\tspaced\tAS\tx\nFROM x", ("spaced",)),
        # Stages are named in lower case, and FROM isn't folded: these are images. COPY --from is.
        ("FROM a AS Build\nFROM Build", ("Build",)),
        ("FROM a AS build\nFROM b\nCOPY --from=BUILD x y", ("a", "b")),
        # A number means a stage for COPY, an image for everything else.
        ("FROM a\nFROM 0", ("0",)),
        ("FROM a\nFROM b\nRUN --mount=from=0,target=/x true", ("b", "0")),
        ("FROM a\nCOPY --from=7 x y", ("a", "7")),
        # A later stage of the same name counts from there on, and for every COPY.
        ("FROM a AS x\nFROM x AS y\nFROM b AS x\nFROM y\nCOPY --from=x p q", ("a", "b")),
        # BuildKit refuses a stage that is defined later only when it comes to it: it is needed all the same.
        ("FROM a AS one\nCOPY --from=two x y\nFROM b AS two\nFROM one", ("a", "b")),
        # What ONBUILD names is read by whoever builds on it.
        ("FROM a\nONBUILD COPY --from=deep x y", ("a",)),
        ("FROM a AS p\nONBUILD COPY --from=deep x y\nFROM p", ("a", "deep")),
        ("FROM a AS p\nONBUILD COPY --from=deep <<-E /x\n\tFROM no\n\tE\nFROM p", ("a", "deep")),
    ],
)
def test_images_named(text: str, expected: tuple[str, ...]) -> None:
    assert reading(text).references == expected


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("FROM a\nCOPY --from=tools /x /", ("a",)),
        ("FROM a AS x\nFROM b\nCOPY --from=x /x /", ("a", "b")),
        ("FROM a AS x\nFROM x", ("a",)),
        ("FROM scratch", ()),
    ],
)
def test_bases_are_what_from_names(text: str, bases: tuple[str, ...]) -> None:
    assert reading(text).bases == bases


STAGES = "FROM a AS x\nFROM b AS y\nCOPY --from=x /q /\nFROM c AS z\nFROM d"


@pytest.mark.parametrize(
    ("wanted", "stages", "references"),
    [
        ("", {"stage 1"}, ("d",)),
        ("y", {"stage x", "stage y"}, ("a", "b")),
        ("Y", {"stage x", "stage y"}, ("a", "b")),
        ("2", {"stage z"}, ("c",)),
        # The build itself will say that there is no such stage.
        ("nope", set(), ()),
        ("9", set(), ()),
        ("²", set(), ()),
    ],
)
def test_only_what_the_wanted_stage_needs(wanted: str, stages: set[str], references: tuple[str, ...]) -> None:
    found = reading(STAGES, stage=wanted)
    assert (set(found.stages), found.references, found.unknown) == (stages, references, ())


def test_a_circle_of_stages_ends() -> None:
    assert reading("FROM a AS x\nCOPY --from=y p q\nFROM b AS y\nCOPY --from=x p q").references == ("a", "b")


def test_a_file_without_from_reads_nothing() -> None:
    assert reading("COPY --from=a b c") == Reading()


def test_a_stage_may_be_named_like_its_own_image() -> None:
    assert reading("FROM app AS app\nRUN x").references == ("app",)


def test_an_argument_after_from_is_not_global() -> None:
    assert reading("FROM a AS one\nARG V=2\nFROM x:$V").references == ("x:",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("FROM ${A", "line 1"),
        ("ARG V=${\nFROM a", "line 1"),
        ("FROM a\nRUN --mount=from=$x,target=/m true", "line 2"),
        ("FROM a\nRUN --mount=nonsense true", "line 2"),
        ("FROM a\nCOPY onlyone", "line 2"),
        ("FROM a\nENV A=${B:?missing}", "line 2"),
        ("FROM a AS p\nONBUILD ENV x\nFROM p\nENV A=b", None),
    ],
)
def test_what_buildkit_refuses_is_never_known(text: str, why: str | None) -> None:
    if why is None:
        with pytest.raises(DockerfileSyntaxError):
            reading(text)
    else:
        assert why in " ".join(reading(text).unknown)


TWO = "FROM a AS build\nCOPY src /\nFROM b\nCOPY --from=build / /"


class TestNamedContexts:
    def test_one_takes_the_place_of_a_stage(self) -> None:
        found = reading(TWO, contexts=["build"])
        assert found.references == ("build", "b")
        assert [(source.of, source.path) for source in found.sources] == [("build", "/")]
        assert list(found.stages) == ["stage 2"]

    def test_of_a_stage_that_is_wanted_itself(self) -> None:
        found = reading("FROM a AS build\nCOPY src /\nONBUILD RUN x", contexts=["build"], stage="build")
        assert (found.references, found.stages, found.triggers) == (("build",), {}, ())

    def test_one_takes_the_place_of_an_image_in_any_spelling(self) -> None:
        found = reading("FROM docker.io/library/alpine:latest", contexts=["alpine"])
        assert [source.of for source in found.sources] == ["docker.io/library/alpine:latest"]

    def test_one_that_nobody_names_is_not_read(self) -> None:
        assert reading(TWO, contexts=["other"]) == reading(TWO)

    def test_a_stage_wins_over_an_image_name(self) -> None:
        assert reading("FROM a AS x\nFROM x", contexts=["a:2"]).references == ("a",)

    @pytest.mark.parametrize("name", ["build::linux/arm64", "b::linux/amd64"])
    def test_one_for_some_platforms_only_is_too_much_to_know(self, name: str) -> None:
        found = reading(TWO, contexts=[name])
        assert "some platforms only" in found.unknown[0]
        assert found.references == ("a", "b")
        assert reading(TWO, contexts=["elsewhere::linux/arm64"]).unknown == ()


class TestOnbuild:
    PARENT = "FROM a AS p\nONBUILD COPY one /\nONBUILD RUN --mount=source=two,target=/t true\n"

    def test_in_the_same_file(self) -> None:
        found = reading(self.PARENT + "FROM p\nCOPY three /")
        assert [source.path for source in found.sources] == ["one", "two", "three"]
        assert found.triggers == ()

    def test_they_are_not_handed_on_a_second_time(self) -> None:
        found = reading(self.PARENT + "FROM p AS q\nFROM q", stage="")
        assert [source.path for source in found.sources] == ["one", "two"]
        assert found.stages["stage 3"] == '[["FROM", "", "stage q"]]'

    def test_the_result_carries_its_own(self) -> None:
        found = reading(self.PARENT + "ONBUILD COPY <<E /x\nhello\nE")
        assert found.triggers[2] == "COPY <<E /x\nhello\nE"
        assert found.sources == ()

    def test_of_an_image_or_another_target(self) -> None:
        triggers: Mapping[str, tuple[str, ...]] = {"a": ("ARG X", "COPY $X /", "COPY --from=tools y /")}
        found = reading("FROM a\nRUN x", triggers=triggers, args={"X": "dir"})
        assert [(source.of, source.path) for source in found.sources] == [("", "dir"), ("tools", "y")]
        assert (found.args, found.references) == ({"X": "dir"}, ("a", "tools"))

    def test_of_an_image_that_nothing_begins_with(self) -> None:
        text = "FROM b\nCOPY --from=a x y"
        assert reading(text, triggers={"a": ("COPY z /",)}) == reading(text)

    def test_one_that_cannot_be_read(self) -> None:
        assert "ONBUILD" in reading("FROM a", triggers={"a": ("RUN <<EOF",)}).unknown[0]


def test_platform_arguments() -> None:
    found = platform_args("linux/arm64/v8", "linux/amd64")
    assert {name: value for name, value in found.items() if value} == {
        "TARGETPLATFORM": "linux/arm64/v8",
        "TARGETOS": "linux",
        "TARGETARCH": "arm64",
        "TARGETVARIANT": "v8",
        "BUILDPLATFORM": "linux/amd64",
        "BUILDOS": "linux",
        "BUILDARCH": "amd64",
    }
    assert platform_args("linux/amd64")["BUILDPLATFORM"] == "linux/amd64"


@given(st.text())
def test_whatever_can_be_parsed_can_be_read(text: str) -> None:
    try:
        file = parse(text)
    except DockerfileSyntaxError:
        return
    read(file)


KEYWORDS = [
    "FROM a",
    "FROM $A AS s",
    "ARG A",
    "ENV A=$B",
    "COPY $A /",
    "ADD x y",
    "RUN --mount=from=s,target=/x y",
]


@given(
    st.lists(
        st.sampled_from(KEYWORDS).flatmap(lambda head: st.text(" $A{}:-'\"\\", max_size=4).map(head.__add__))
    )
)
def test_half_broken_files_are_read_without_an_error(lines: list[str]) -> None:
    try:
        file = parse("\n".join(lines))
    except DockerfileSyntaxError:
        return
    read(file, args={"A": "1"})


@given(st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=6), min_size=1, max_size=8, unique=True))
def test_a_chain_of_stages_names_only_its_first_image(names: list[str]) -> None:
    lines = ["FROM image:1 AS s0"] + [f"FROM s{i} AS s{i + 1}" for i in range(len(names))]
    assert reading("\n".join(lines)).references == ("image:1",)
