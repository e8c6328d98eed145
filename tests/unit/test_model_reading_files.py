"""Which files a build reads, and the canonical text of its stages: what changes it, and what must not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.dockerfile import parse
from homeport.model.reading import Reading, Source, platform_args, read


def reading(text: str, **more: Any) -> Reading:
    return read(parse(text), **{"platform": platform_args("linux/amd64"), **more})


def sources(text: str) -> list[tuple[str, str]]:
    return [(source.of, source.path) for source in reading(text).sources]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY a b /", [("", "a"), ("", "b")]),
        ('COPY ["a b", "/x"]', [("", "a b")]),
        ("COPY a <<E /\nhello\nE", [("", "a")]),
        ("COPY --from=img a b /", [("img", "a"), ("img", "b")]),
        ("COPY --from=first a /", []),
        ("COPY --from=0 a /", []),
        ("COPY *.txt /", [("", "*.txt")]),
        ("ADD a.tar /", [("", "a.tar")]),
        ("COPY https://x/y /", [("", "https://x/y")]),  # no URL to COPY: BuildKit refuses it
        ("ADD github.com/o/r.git /", [("", "github.com/o/r.git")]),  # a path, by BuildKit's rule
        # RUN reads the context by bind mounts only, and all of it unless told otherwise.
        ("RUN --mount=target=/x y", [("", "/")]),
        ("RUN --mount=type=bind,source=a,target=/x y", [("", "a")]),
        ("RUN --mount=type=bind,src=$D,target=/x y", [("", "/")]),
        ("RUN --mount=type=bind,source=a*b[c],target=/x y", [("", r"a\*b\[c]")]),  # no wildcards here
        ("RUN --mount=type=cache,target=/x y", []),
        ("RUN --mount=type=cache,from=img,source=d,target=/x y", [("img", "d")]),
        ("RUN --mount=type=cache,from=first,target=/x y", []),
        ("RUN --mount=type=tmpfs,target=/x y", []),
        ("RUN --mount=type=secret,id=s y", []),
        ("RUN --mount=type=ssh y", []),
        ("RUN --mount=from=img,source=d,target=/x --mount=source=e,target=/y z", [("img", "d"), ("", "e")]),
        ("RUN --mount=from=scratch,target=/x y", []),
        ("RUN COPY a /", []),
        ("ONBUILD COPY a /", []),
    ],
)
def test_files_read(instruction: str, expected: list[tuple[str, str]]) -> None:
    assert sources(f"FROM z AS first\nFROM a\n{instruction}") == expected


def test_each_source_once_and_of_needed_stages_only() -> None:
    text = "FROM a AS x\nCOPY one /\nFROM b AS unneeded\nCOPY two /\nFROM x\nCOPY one three /"
    assert sources(text) == [("", "one"), ("", "three")]


def test_parents_have_other_wildcards() -> None:
    assert reading("FROM a\nCOPY --parents **/x /").sources == (Source("", "**/x", parents=True),)
    assert reading("FROM a\nCOPY --parents $D /").sources == (Source("", "/"),)


SHA1, SHA256 = "a" * 40, "b" * 64


@pytest.mark.parametrize(
    ("add", "known"),
    [
        ("https://x/f.tgz", False),
        (f"--checksum=sha256:{SHA256} https://x/f.tgz", True),
        ("--checksum=sha256:abc https://x/f.tgz", False),
        ("--checksum=$SUM https://x/f.tgz", True),
        ("--checksum=$UNSET https://x/f.tgz", False),
        ("https://x/r.git", False),
        ("https://x/r.git#main", False),
        (f"https://x/r.git#{SHA1}", True),
        (f"https://x/r.git#{SHA1}:sub/dir", True),
        (f"https://x/r.git#v1-{SHA1}", False),
        (f"https://x/r.git?branch=main&checksum={SHA1}", True),
        (f"https://x/r.git?commit={SHA256}", True),
        (f"https://x/r.git?commit={SHA1[:7]}", False),
        (f"--checksum={SHA1} https://x/r.git", True),
        ("git@x:o/r.git", False),
        (f"git@x:o/r.git#{SHA1}", True),
        (f"ssh://git@x/r#{SHA1}", True),
        # What looks like a commit means nothing to a server of files.
        (f"https://x/f.tgz#{SHA1}", False),
        (f"https://x/f.tgz?commit={SHA1}", False),
        (f"https://x/r.git/f.tgz#{SHA1}", False),
        ("local.tgz", True),
        ("$UNSET", False),
    ],
)
def test_add_from_elsewhere(add: str, known: bool) -> None:
    found = reading(f"FROM a\nARG SUM=sha256:{SHA256}\nADD {add} /")
    assert (found.unknown == ()) == known


# -- canonical text -----------------------------------------------------------------------------------------

BASE = "FROM a AS one\nCOPY x /x\nFROM b\nENV A=1\nRUN make  all\nCOPY --from=one /x /y\n"


@pytest.mark.parametrize(
    "text",
    [
        "# hello\n" + BASE.replace("\n", "\n# hi\n\n"),
        BASE.replace("\n", "\r\n"),
        BASE.replace("COPY x /x", "copy   x \\\n /x"),
        BASE.replace("RUN make", "RUN \\\n# in between\n\n make"),
        BASE.replace("FROM", "from"),
        BASE.replace("--from=one", "--from=0"),
        "FROM z AS unneeded\nRUN x\n" + BASE,
        "FROM z AS unneeded\nRUN x\n" + BASE.replace("--from=one", "--from=1"),
        BASE.replace("FROM b", "FROM one AS also-unneeded\nRUN y\nFROM b"),
        "ARG UNUSED=1\n" + BASE,
        "# check=skip=all\n" + BASE,
    ],
)
def test_what_means_the_same(text: str) -> None:
    plain = BASE if "--from=one" in text else BASE.replace("--from=one", "--from=0")
    assert reading(text) == reading(plain)
    assert reading(text).stages == reading(plain).stages


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make  all", "make all"),  # the shell sees it
        ("A=1", "A=2"),
        ("A=1", "A='1'"),  # means the same: a build too many, never one too few
        ("/x\nFROM b", "/z\nFROM b"),
        ("COPY x", "COPY --chmod=755 x"),
        ("COPY x", "ADD x"),
        ("FROM b", "FROM --platform=linux/arm64 b"),
        ("FROM b", "FROM c"),
        ("FROM b", "FROM one"),
        ("ENV A=1\nRUN make  all", "RUN make  all\nENV A=1"),
        ("RUN make  all", "RUN --network=none make  all"),
        ("RUN make  all", "RUN <<E\nmake  all\nE"),
        ("RUN make  all", '["make", "all"]'),
        ("FROM a", "# escape=`\nFROM a"),  # the same text would mean something else
    ],
)
def test_what_does_not(old: str, new: str) -> None:
    assert reading(BASE.replace(old, new)).stages != reading(BASE).stages


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RUN <<E\na\nE", "RUN <<E\nb\nE"),
        ("COPY <<E /x\n$A\nE", "COPY <<'E' /x\n$A\nE"),
        ("COPY <<E /x\n\ta\nE", "COPY <<-E /x\n\ta\nE"),
        ("COPY <<E /x\na\nE", "COPY <<F /x\na\nF"),
        ("LABEL a=b", "LABEL a=c"),
        ("ARG A", "ARG A="),
        ("ARG A=1 B", "ARG A=1\nARG B"),
    ],
)
def test_heredocs_labels_and_declarations_count(one: str, other: str) -> None:
    assert reading(f"FROM a\n{one}").stages != reading(f"FROM a\n{other}").stages


def test_the_platform_of_a_stage_is_its_value() -> None:
    text = "ARG P=linux/arm64\nFROM --platform=$P a"
    assert reading(text).stages == reading("FROM --platform=linux/arm64 a").stages
    assert reading(text, args={"P": "linux/386"}).stages != reading(text).stages


def test_the_canonical_text_is_what_it_was() -> None:
    # Whoever has to change this has to raise VERSION in model/fingerprint.py.
    assert reading(BASE).stages == {
        "stage one": '[["FROM", "", "a"], ["COPY", [], "x /x", []]]',
        "stage 2": '[["FROM", "", "b"], ["ENV", [], "A=1", []], ["RUN", [], "make  all", []], '
        '["COPY", [["from", "one"]], "/x /y", []]]',
    }


def test_two_stages_of_one_name_stay_two() -> None:
    found = reading("FROM a AS x\nRUN 1\nFROM x AS x\nRUN 2\nFROM x")
    assert len(found.stages) == 3


NAMES = st.sampled_from(["one", "two", "three"])
LINES = st.sampled_from(["COPY x /", "RUN y", "ENV A=1", "ARG B", "COPY --from=img z /", "ADD https://u /"])


@given(st.lists(LINES, max_size=5), st.lists(LINES, max_size=5), st.booleans())
def test_a_stage_that_nobody_needs_never_changes_anything(
    needed: list[str], more: list[str], first: bool
) -> None:
    last = "\n".join(["FROM one AS last", *needed])
    unneeded = "\n".join(["FROM other AS unneeded", *more])
    text = "\n".join(
        [unneeded, "FROM a AS one\nRUN x", last] if first else ["FROM a AS one\nRUN x", unneeded, last]
    )
    found, plain = reading(text, args={"B": "1"}), reading(f"FROM a AS one\nRUN x\n{last}", args={"B": "1"})
    # Lines are named in what is said about unknowns.
    assert [word.partition("(line")[0] for word in found.unknown] == [
        word.partition("(line")[0] for word in plain.unknown
    ]
    for part in ("stages", "args", "references", "bases", "sources", "triggers"):
        assert getattr(found, part) == getattr(plain, part)


@given(st.lists(LINES, max_size=6), NAMES)
def test_reading_twice_is_the_same(lines: list[str], name: str) -> None:
    text = "\n".join([f"FROM a AS {name}", *lines])
    assert reading(text) == reading(text)
    assert reading(text).stages == reading(text).stages
