"""Stages of Dockerfiles, against the rules of https://docs.docker.com/reference/dockerfile/."""

from __future__ import annotations

import string
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.stages import images, platform_args, reachable, stages


def refs(text: str, args: dict[str, str] | None = None, wanted: str = "") -> tuple[str, ...]:
    return images(stages(textwrap.dedent(text), args, platform_args("linux/arm64")), wanted)


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
        (
            "FROM a\nRUN <<EOF\nFROM not-an-image\nCOPY --from=nor-this x y\nEOF\nCOPY --from=b x y",
            ("a", "b"),
        ),
        ("FROM a\nRUN <<-'X' cat\n\tFROM no\n\tX\nFROM b", ("b",)),
        ("FROM a\nCOPY <<one <<two /x/\n1\none\nFROM no\ntwo\nCOPY --from=z q q", ("a", "z")),
        ("FROM a\nONBUILD COPY --from=deep x y", ("a", "deep")),
        # No here-documents, whatever they look like; each was swallowed by a simpler reader.
        ("FROM a\nRUN echo $((1<<n))\nFROM b", ("b",)),
        ('FROM a\nRUN echo "see <<EOF"\nFROM b', ("b",)),
        ("FROM a\nRUN sh -c 'cat << EOF'\nFROM b", ("b",)),
        ("FROM a\nRUN true <<<x\nFROM b", ("b",)),
        # BuildKit builds none of these: its own message is better than a guess.
        ("FROM a\nRUN cat <<NEVER-ENDS\nFROM b", ()),
        ("FROM a\nENV x", ()),
        ("FROM ${A\nFROM b", ()),
        ("FROM a\nRUN --mount=from=$x,target=/m true", ()),
        ("FROM a\nRUN <<END-X cat\nFROM no\nEND-X\nFROM b", ("b",)),
        ("FROM a\nRUN 3<<EOF cat\nFROM no\nEOF\nFROM b", ("b",)),
        ('FROM "quoted:1"\nCOPY --from="tools:1" a b', ("quoted:1", "tools:1")),
        ('FROM a\nRUN --mount=type=bind,"from=lib:1",target=/m true', ("a", "lib:1")),
        ("FROM base-$TARGETARCH", ("base-arm64",)),
        ("FROM --platform=$BUILDPLATFORM x", ("x",)),
        ("\ufeffFROM bom", ("bom",)),
        ("FROM a\r\nCOPY --from=b x y\r\n", ("a", "b")),
        ("FROM\tspaced\tAS\tx\nFROM x", ("spaced",)),
        ("", ()),
        ("COPY --from=a b c", ()),
        (
            "FROM a\nONBUILD COPY --from=deep <<-E /x\n\tFROM no\n\tE\nFROM b\nCOPY --from=0 x y",
            ("a", "deep", "b"),
        ),
        ("FROM a\nONBUILD ONBUILD RUN x", ("a",)),
    ],
)
def test_images_named(text: str, expected: tuple[str, ...]) -> None:
    assert refs(text) == expected


def test_given_arguments_replace_declared_defaults_only() -> None:
    text = "ARG V=1\nFROM x:$V$W"
    assert refs(text, {"V": "2", "W": "9"}) == ("x:2",)


def test_given_arguments_are_taken_as_they_are() -> None:
    assert refs("ARG W=1\nARG V=1\nFROM x:$V", {"V": "$W"}) == ("x:$W",)


def test_an_argument_after_from_is_not_global() -> None:
    assert refs("FROM a AS one\nARG V=2\nFROM x:$V") == ("x:",)


def test_only_what_the_wanted_stage_reaches() -> None:
    text = "FROM a AS x\nFROM b AS y\nCOPY --from=x /q /\nFROM c AS z"
    assert refs(text, wanted="y") == ("a", "b")
    assert refs(text, wanted="X") == ("a",)
    assert refs(text) == ("c",)
    assert refs(text, wanted="nope") == ()
    assert [stage.name for stage in reachable(stages(text), "y")] == ["x", "y"]


def test_a_stage_may_be_named_like_its_own_image() -> None:
    assert refs("FROM app AS app\nRUN x") == ("app",)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    images(stages(text))


@given(st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=6), min_size=1, max_size=8, unique=True))
def test_a_chain_of_stages_names_only_its_first_image(names: list[str]) -> None:
    lines = ["FROM image:1 AS s0"] + [f"FROM s{i} AS s{i + 1}" for i in range(len(names))]
    assert refs("\n".join(lines)) == ("image:1",)
