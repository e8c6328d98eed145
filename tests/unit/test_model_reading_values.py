"""Which values count for a build: arguments, and what is known of variables. Which files: the next file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.dockerfile import parse
from homeport.model.reading import Reading, platform_args, read

LINUX = platform_args("linux/amd64")


def reading(text: str, **more: Any) -> Reading:
    return read(parse(text), **{"platform": LINUX, **more})


@pytest.mark.parametrize(
    ("text", "given_args", "counts"),
    [
        ("FROM a\nRUN x", {"V": "1"}, {}),  # declared nowhere
        ("ARG V=1\nFROM a\nRUN x", {"V": "2"}, {}),  # declared, and used by nothing
        ("ARG V=1\nFROM a\nARG V\nRUN x", {}, {"V": "1"}),  # the global default is inherited
        ("ARG V=1\nFROM a\nARG V\nRUN x", {"V": "2"}, {"V": "2"}),
        ("ARG V=1\nARG W=$V\nFROM a\nARG W", {"V": "2"}, {"W": "2"}),
        ("ARG V=1\nARG W=$V\nFROM a\nARG W", {"W": "$V"}, {"W": "$V"}),  # given ones are taken as they are
        ("FROM a\nARG V=1", {}, {}),  # a stage's own default is part of its text
        ("FROM a\nARG V=1", {"V": ""}, {"V": ""}),
        ("FROM a\nARG V", {}, {}),
        ("FROM a AS x\nARG V\nFROM b", {"V": "1"}, {}),  # a stage that nobody needs
        ("FROM a AS x\nARG V\nFROM x", {"V": "1"}, {"V": "1"}),
        ("FROM a\nARG A B=2", {"A": "1", "B": "3"}, {"A": "1", "B": "3"}),
        ("FROM a\nARG TARGETARCH\nRUN x", {}, {"TARGETARCH": "amd64"}),
        ("FROM a\nRUN echo $TARGETARCH", {}, {}),  # it must be declared to be there
        ("FROM a\nARG TARGETARCH", {"TARGETARCH": "z80"}, {"TARGETARCH": "z80"}),
        ("FROM a\nARG TARGETARCH=fallback", {}, {}),  # a default hides the platform's value
        ("FROM a\nARG HTTP_PROXY", {"HTTP_PROXY": "p"}, {"HTTP_PROXY": "p"}),
        ("FROM a\nRUN x", {"HTTP_PROXY": "p"}, {}),  # proxies are no part of BuildKit's key either
        # The frontend itself looks at these, whether or not anybody declares them.
        ("FROM a", {"BUILDKIT_INLINE_CACHE": "1"}, {"BUILDKIT_INLINE_CACHE": "1"}),
        ("FROM a", {"SOURCE_DATE_EPOCH": "7"}, {"SOURCE_DATE_EPOCH": "7"}),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE=true\nFROM a", {}, {"BUILDKIT_SBOM_SCAN_STAGE": "true"}),
        ("FROM a AS x\nARG TARGETSTAGE", {}, {"TARGETSTAGE": "x"}),
        ("FROM a\nARG TARGETSTAGE", {}, {"TARGETSTAGE": "default"}),
        ("FROM a\nARG TARGETSTAGE", {"TARGETSTAGE": "mine"}, {"TARGETSTAGE": "mine"}),
    ],
)
def test_arguments_that_count(text: str, given_args: dict[str, str], counts: dict[str, str]) -> None:
    assert reading(text, args=given_args).args == counts


def test_the_wanted_stage_is_a_value_too() -> None:
    text = "FROM a AS Base\nARG TARGETSTAGE\nFROM base AS top"
    assert reading(text, stage="BASE").args == {"TARGETSTAGE": "BASE"}
    assert reading(text).args == {"TARGETSTAGE": "top"}


def test_platforms_have_other_values() -> None:
    text = "FROM a\nARG TARGETPLATFORM\nARG BUILDARCH"
    cross = platform_args("linux/arm64", "linux/amd64")
    assert reading(text, platform=cross).args == {"TARGETPLATFORM": "linux/arm64", "BUILDARCH": "amd64"}


@pytest.mark.parametrize(
    ("epoch", "known"), [("0", True), ("-5", True), ("", True), ("context", False), ("x", False)]
)
def test_an_epoch_taken_from_a_source_is_unknown(epoch: str, known: bool) -> None:
    assert (not reading("FROM a", args={"SOURCE_DATE_EPOCH": epoch}).unknown) == known


WHOLE = "/"


@pytest.mark.parametrize(
    ("before_copy", "copied", "read_is"),
    [
        ("ARG D=dir", "$D/x", "dir/x"),
        ("ARG D", "$D/x", WHOLE),  # it may be a variable of the base image
        ("ENV D=dir", "${D}/x", "dir/x"),
        ("ENV A=1\nENV B=$A-2", "$B", "1-2"),
        ("ENV A=1\nENV A=2 B=$A", "$B", "1"),  # one ENV sees what was before it
        ("ENV B=$A", "$B", WHOLE),  # tainted: what it is, only the base image knows
        ("ARG B=$A", "$B", WHOLE),
        ("ENV B=$A\nENV B=dir", "$B", "dir"),  # and clean again
        ("ARG D=dir\nENV D=$D/more", "$D", "dir/more"),
        ("ENV D=dir\nENV ${A}=x", "$D", WHOLE),  # any variable may be another one now
        ("ENV D=a\nENV ${D}b=x", "$ab", "x"),
        ("", "$UNSET/x", WHOLE),
        ("", "${UNSET:-dir}", WHOLE),
        ("", "'$'UNSET", "$UNSET"),
        ("ARG D=a", '"$D b"', None),
        ("ARG D=a", '["$D b", "/"]', "a b"),
        ("ARG D=", "$D", WHOLE),  # BuildKit takes an empty source for the context
    ],
)
def test_variables_in_sources(before_copy: str, copied: str, read_is: str | None) -> None:
    text = f"FROM a\n{before_copy}\nCOPY {copied} {'' if copied[0] == '[' else '/'}"
    found = reading(text)
    if read_is is None:
        # Words are split before quotes are looked at: '"a' and 'b"'.
        assert found.unknown == ()
        assert found.sources[0].path == WHOLE
    else:
        assert [source.path for source in found.sources] == [read_is]


@pytest.mark.parametrize(
    ("text", "read_is"),
    [
        ("FROM scratch\nCOPY a$NO /", "a"),  # nothing comes from an image: unset is empty
        ("FROM scratch AS x\nFROM x\nCOPY a$NO /", "a"),
        ("FROM scratch AS x\nENV D=dir\nFROM x\nCOPY $D /", "dir"),
        ("FROM scratch\nCOPY ${PATH:+a}b /", "ab"),  # BuildKit gives every stage a PATH
        ("FROM a AS x\nENV D=dir\nFROM x\nCOPY $D /", "dir"),
        ("FROM a AS x\nFROM x\nCOPY a$NO /", WHOLE),
        ("ARG D=dir\nFROM a\nCOPY $D /", WHOLE),  # global ones must be declared again
        ("ARG D=dir\nFROM a\nARG D\nCOPY $D /", "dir"),
        ("FROM scratch\nARG TARGETOS\nCOPY $TARGETOS /", "linux"),
    ],
)
def test_where_variables_come_from(text: str, read_is: str) -> None:
    assert [source.path for source in reading(text).sources] == [read_is]


def test_a_replaced_stage_is_as_unknown_as_an_image() -> None:
    text = "FROM scratch AS x\nENV D=dir\nFROM x\nCOPY $D /"
    assert [source.path for source in reading(text, contexts=["x"]).sources] == ["/", WHOLE]


def test_windows_has_no_path_by_default() -> None:
    windows = platform_args("windows/amd64")
    assert reading("FROM scratch\nCOPY ${PATH:+a}b /", platform=windows).sources[0].path == "b"


@given(
    given_value=st.text(min_size=1),
    first=st.from_regex(r"[a-z0-9]{0,8}", fullmatch=True),
    second=st.just("other"),
)
def test_a_given_value_makes_the_default_irrelevant(given_value: str, first: str, second: str) -> None:
    def with_default(default: str) -> Reading:
        text = f"ARG G={default}\nFROM a:$G\nARG G\nARG S={default}\nCOPY $S/$G /\nRUN x"
        return reading(text, args={"G": given_value, "S": given_value})

    assert with_default(first) == with_default(second)


@given(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text()))
def test_arguments_that_nobody_declares_change_nothing(given_args: dict[str, str]) -> None:
    text = "ARG Z=1\nFROM a\nARG Z\nRUN echo $A $B\nCOPY x /"
    assert reading(text, args=given_args) == reading(text)
