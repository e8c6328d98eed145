"""The Dockerfile parser, against the vectors of BuildKit (frontend/dockerfile/parser) and a real engine."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.dockerfile import frontend, parse, trigger
from homeport.model.instruction import DockerfileSyntaxError, Heredoc, Instruction


def read(text: str) -> list[str]:
    """Each instruction as one line: keyword, flags in brackets, value."""
    lines = []
    for item in parse(text).instructions:
        flags = "".join(f"[{name}={value}]" for name, value in item.flags)
        lines.append(f"{item.keyword}{flags} {item.value}".rstrip(" "))
    return lines


TABLE = [
    # testfiles/continueIndent, trailing-backslash, continue-at-eof
    (
        "RUN echo hello\\\n  world\\\n  goodnight  \\\n  moon\\\n  light\\\nning",
        ["hello  world  goodnight    moon  lightning"],
    ),
    ("RUN echo hello  \\\n  world\nRUN echo hello  \\\nworld", ["hello    world", "hello  world"]),
    (
        "RUN echo hello \\\ngoodbye\\\nfrog\nRUN echo hello  \\  \nworld",
        ["hello goodbyefrog", "hello  world"],
    ),
    ("RUN echo hi \\\n \\\n world \\\n\\\n good\\\n\\\nnight", ["hi   world  goodnight"]),
    ("RUN echo hello \\\n# a comment\n\n# another\n\nuseful stuff", ["hello useful stuff"]),
    ("RUN echo x \\\n    # an indented comment\n   after", ["x    after"]),
    ("RUN echo a\\\\path\\\\\nRUN echo not appended", ["a\\\\path\\\\", "not appended"]),
    ("RUN echo hello\\\n\\\nworld\nRUN echo hello\\\n \\\nworld", ["helloworld", "hello world"]),
    ("RUN echo something \\", ["something"]),
    ("RUN echo something \\\n\n", ["something"]),
]


@pytest.mark.parametrize(("text", "wanted"), TABLE)
def test_lines_are_joined(text: str, wanted: list[str]) -> None:
    assert read(text) == [f"RUN echo {line}" for line in wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FROM\tubuntu:14.04\nLABEL\tm\tA B", ["FROM ubuntu:14.04", "LABEL m\tA B"]),
        ("  from x  \n\tCopy . /\t", ["FROM x", "COPY . /"]),
        # testfiles/flags, health; the rest of the flags was asked of an engine
        ("COPY --user=me foo /x/", ["COPY[user=me] foo /x/"]),
        ("COPY --user=me --doit=true foo /x/", ["COPY[user=me][doit=true] foo /x/"]),
        ("COPY --doit=true -- foo /x/\nCOPY -- foo /x/", ["COPY[doit=true] foo /x/", "COPY foo /x/"]),
        ('CMD --doit [ "a", "b" ]\nCMD --doit -- [ ]', ['CMD[doit=] [ "a", "b" ]', "CMD[doit=] [ ]"]),
        ("HEALTHCHECK --a=5s --b=3 \\\n  CMD /x --quiet", ["HEALTHCHECK[a=5s][b=3] CMD /x --quiet"]),
        ("HEALTHCHECK\nHEALTHCHECK CMD", ["HEALTHCHECK", "HEALTHCHECK CMD"]),
        ("COPY --from=\"a b\" --chown='1':2 x y", ["COPY[from=a b][chown=1:2] x y"]),
        ('COPY --a=\\"b\\ c x y', ['COPY[a="b c] x y']),
        ("COPY --From=a x", ["COPY[From=a] x"]),
        ("COPY --open='a b", ["COPY[open=a b]"]),
        ("COPY --a\\", ["COPY[a=]"]),
        ("RUN a --b", ["RUN a --b"]),
        ("COPY --x=é y", ["COPY[x=Ã©] y"]),
        ("FROM --platform=linux/amd64\u00a0x", ["FROM[platform=linux/amd64Â] x"]),
        ("COPY --x=à y z", ["COPY[x=Ã] y z"]),
        ("COPY \u00e0\u2003b c", ["COPY \u00e0\u2003b c"]),
        # Line ends: only \n is one, and \r belongs to it.
        ("FROM a\r\nRUN b \\\r\n  c\r\n", ["FROM a", "RUN b   c"]),
        ("FROM a\nLABEL a=b\rLABEL=c\n", ["FROM a", "LABEL a=b\rLABEL=c"]),
        ("FROM a\nLABEL\fa=b\n", ["FROM a", "LABEL a=b"]),
        ('FROM a\nRUN "x\u2028y\x85z\x1cq"', ["FROM a", 'RUN "x\u2028y\x85z\x1cq"']),
        ("FROM a\x1f\nRUN \x1cx", ["FROM a\x1f", "RUN \x1cx"]),
        ("\u3000FROM a\u2003\n\u00a0# comment\n\u2028\nRUN b", ["FROM a", "RUN b"]),
        ("\ufeffFROM bom", ["FROM bom"]),
        ("\ufeff# escape=`\nFROM a `\n b", ["FROM a  b"]),
        ("\n\n\nFROM a\n\n", ["FROM a"]),
        ("\\\n\nFROM a", ["FROM a"]),
        ("FROM a\n#no\n #no\n\t# no \\\nRUN b", ["FROM a", "RUN b"]),
        ("FROM a # yes", ["FROM a # yes"]),
        ("FOO bar\n{ x", ["FOO bar", "{ x"]),
        ("wor\u212adir /q\nu\u017fer x", ["WORKDIR /q", "u\u017fer x"]),
        ("FROM a\ud800", ["FROM a\ufffd"]),
        ("COPY a\udcff b", ["COPY a\udcff b"]),
        # testfiles/jeztah-*: what is no JSON is for the shell
        (
            'CMD [\'echo\',\'x\']\nCMD ["echo"\nCMD ["echo", "x]',
            ["CMD ['echo','x']", 'CMD ["echo"', 'CMD ["echo", "x]'],
        ),
    ],
)
def test_instructions(text: str, wanted: list[str]) -> None:
    assert read(text) == wanted


def test_instructions_have_their_first_line() -> None:
    found = parse("# c\n\nFROM a\nRUN x \\\n  y\nRUN <<E\nz\nE\nCMD q").instructions
    assert [(item.keyword, item.line) for item in found] == [("FROM", 3), ("RUN", 4), ("RUN", 6), ("CMD", 9)]


@pytest.mark.parametrize(
    ("text", "escape"),
    [
        ("FROM a", "\\"),
        ("#escape=\\\nFROM a", "\\"),
        ("# EScape = `  \nFROM a", "`"),
        ("# syntax = docker/dockerfile\n# escape = `\n\nFROM a", "`"),
        ("  # escape=`\nFROM a", "`"),
        ("#\u00a0escape\t=\f`\r\nFROM a", "`"),
        ("# Comment\n# escape=`\nFROM a", "\\"),
        ("\n# escape=`\nFROM a", "\\"),
        ("# key=x\n# escape=`\nFROM a", "\\"),
        ("# escape=\n# escape=`\nFROM a", "\\"),
        ("#!/bin/sh\n# escape=`\nFROM a", "\\"),
        ("FROM a\n# escape=`", "\\"),
        ("FROM a\n# escape=nonsense", "\\"),
    ],
)
def test_escape_directive(text: str, escape: str) -> None:
    found = parse(text)
    assert found.escape == escape
    assert {item.escape for item in found.instructions} == {escape}


def test_another_escape_character_continues_lines() -> None:
    assert read("# escape=`\nENV GOPATH `\n\\go\nRUN c:\\\nRUN d``\nRUN x") == [
        *("ENV GOPATH \\go", "RUN c:\\", "RUN d``", "RUN x"),
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# syntax = dockerfile:experimental // opts\nFROM busybox", "dockerfile:experimental"),
        ("#!/bin/sh\n# syntax = x:y\nFROM busybox", "x:y"),
        ("#!/bin/sh\n\n# syntax = x:y\n", ""),
        ("FROM busybox\nRUN ls", ""),
        ("//syntax=foo\n//key=value", "foo"),
        ("#!/bin/sh\n//syntax=x", "x"),
        ('{"syntax": "foo", "bar": ["abc"]}', "foo"),
        ('{"syntax": "foo"', ""),
        ('{"syntax": "foo"}\n# syntax=bar', ""),
        ('{"syntax": 1}', ""),
        ('{"syntax": "a", "x": 1e999}', ""),
        ('["syntax"]', ""),
        ("\ufeff# syntax = myfrontend\nFROM busybox", "myfrontend"),
        ("# SYNTAX=a/b:1\r\nFROM a", "a/b:1"),
        ("# escape=`\n# syntax=a\nFROM a", "a"),
        ("# check=skip=all\n# syntax=a\nFROM a", "a"),
        ("# syntax=a\n# syntax=b\nFROM a", "a"),
        ("# escape=`\n# escape=`\n# syntax=b\nFROM a", ""),
        (" # syntax=a\nFROM a", ""),
        ("\n# syntax=a\nFROM a", ""),
        ("# hello\n# syntax=a\nFROM a", ""),
        ("[" * 100000, ""),
    ],
)
def test_frontend(text: str, wanted: str) -> None:
    assert frontend(text) == wanted


E = Heredoc("EOF", "", expand=True, chomp=False)


def doc(name: str, content: str = "", *, expand: bool = True, chomp: bool = False) -> Heredoc:
    return Heredoc(name, content, expand, chomp)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # parser_heredoc_test.go
        ("RUN <<EOF\nEOF", [E]),
        ("RUN 3<<EOF\nEOF", [E]),
        ('RUN "<<EOF"', []),
        ("USER <<EOF\nEOF", []),
        ("RUN <<I\n\tfoo\n\tbar\nI", [doc("I", "\tfoo\n\tbar\n")]),
        ("RUN <<-I\n\tfoo\n\tbar\n\tI", [doc("I", "\tfoo\n\tbar\n", chomp=True)]),
        ("RUN <<-'N'\n\tno $x\nN", [doc("N", "\tno $x\n", expand=False, chomp=True)]),
        ("RUN <<C\n# c\necho a # b\nC", [doc("C", "# c\necho a # b\n")]),
        ("RUN --mount=type=cache,target=/foo <<M\nhello\nM", [doc("M", "hello\n")]),
        ("COPY <<X <<Y /dest\nY\nX\nX\nY", [doc("X", "Y\n"), doc("Y", "X\n")]),
        ("RUN <<EOF python3\nprint()\nEOF", [doc("EOF", "print()\n")]),
        ("ADD <<file.txt /dest\nhello\nfile.txt", [doc("file.txt", "hello\n")]),
        ("RUN <<eo'f'\nx\neof", [doc("eof", "x\n", expand=False)]),
        ("RUN <<eo\\'f\nx\neo'f", [doc("eo'f", "x\n")]),
        ("RUN <<'e'o\\'f\nx\neo'f", [doc("eo'f", "x\n", expand=False)]),
        ("RUN <<'one two'\nx\none two", [doc("one two", "x\n", expand=False)]),
        ("RUN <<$EOF\n$EOF", [doc("$EOF")]),
        ("RUN <<  EOF  > foo\nEOF", [E]),
        ('RUN ["<<EOF"]', []),
        ('COPY ["<<EOF", "/x"]', []),
        ("RUN << -EOF\n-EOF", [doc("-EOF")]),
        # Not from there.
        ("ONBUILD RUN <<EOF\nEOF", [E]),
        ("ONBUILD ONBUILD RUN <<EOF", []),
        ("RUN cat <<<x\nRUN cat <<< EOF\nRUN a<<EOF", []),
        ("RUN echo $((1<<n))\nRUN sh -c 'cat << EOF'", []),
        ("RUN echo $(( 1 <<n ))\nn", [doc("n")]),
        ("RUN echo don't <<EOF", []),
        ("RUN echo ${x/} <<EOF", []),
        ("RUN echo ${x:=a} ${y} ${z#b} ${z//a/b} <<EOF\nEOF", [E]),
        ("RUN cat <<''\nRUN cat <<-\nRUN <<", []),
        ("RUN x \\\n  <<EOF\n\\\n# kept\n\n\t\r\nEOF\r\n", [doc("EOF", "\\\n# kept\n\n\t\r\n")]),
        ("# escape=`\nRUN <<a\\'b `\n\n  x\ny\na'b", [doc("a'b", "y\n")]),
        ("RUN cat <<${x:-EOF}", []),
        ('RUN <<"a\\tb"\na\\tb', [doc("a\\tb", expand=False)]),
        ("RUN <<EOF\n EOF\nEOF \n\tEOF\nEOF", [doc("EOF", " EOF\nEOF \n\tEOF\n")]),
        ("RUN <<EOF\na\x0cb\x85\u2028\nEOF", [doc("EOF", "a\x0cb\x85\u2028\n")]),
    ],
)
def test_heredocs(text: str, wanted: list[Heredoc]) -> None:
    found = parse(f"{text}\nFROM last")
    assert [heredoc for item in found.instructions for heredoc in item.heredocs] == wanted
    assert found.instructions[-1].value == "last"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("# Hello\n# These are just comments\n\n", 3),
        ("FROM busybox\n\nENV PATH", 3),
        ("FROM a\nLABEL a=b c", 2),
        ("FROM a\nONBUILD ENV PATH", 2),
        ('CMD [ "echo", [ "nested json" ] ]', 1),
        ("FROM a\nHEALTHCHECK CMD [1]", 2),
        ("FROM a\nRUN \\\n <<EOF\nEOF2", 2),
        ("# escape=x\nFROM a", 1),
        ("# escape= \nFROM a", 1),
        ("# escape=`\n# escape=`\nFROM a", 2),
        ("# syntax=a\n# Syntax=a\nFROM a", 2),
        (f"FROM a\nLABEL a={'b' * 65536}", 2),
        (f"FROM a\nLABEL a={'é' * 32766}", 2),
    ],
)
def test_what_buildkit_rejects(text: str, line: int) -> None:
    with pytest.raises(DockerfileSyntaxError) as caught:
        parse(text)
    assert caught.value.line == line
    assert str(caught.value).count("line ") == (1 if line else 0) + str(caught.value).count("line longer")


def test_the_longest_line() -> None:
    assert len(parse(f"RUN {'a' * 65531}\nRUN b").instructions) == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ONBUILD COPY --from=a b c", Instruction("COPY", (("from", "a"),), "b c", (), 2)),
        (
            "ONBUILD RUN <<A <<-B\n1\nA\n\t2\n\tB",
            Instruction("RUN", (), "<<A <<-B", (doc("A", "1\n"), doc("B", "\t2\n", chomp=True)), 2),
        ),
        ("onbuild env a b\\\n c", Instruction("ENV", (), "a b c", (), 2)),
    ],
)
def test_triggers(text: str, wanted: Instruction) -> None:
    assert trigger(parse(f"FROM x\n{text}").instructions[1]) == wanted


def test_triggers_forget_the_escape_character() -> None:
    assert trigger(parse("# escape=`\nONBUILD RUN a `").instructions[0]).escape == "\\"


@pytest.mark.parametrize("text", ["ONBUILD", "ONBUILD ONBUILD RUN a", "ONBUILD FROM a", "ONBUILD # a"])
def test_no_triggers(text: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        trigger(parse(text).instructions[0])


NOISE = st.lists(st.sampled_from(["", "  ", "\t", "# comment", "  # RUN x \\", "#", "\r", "\u3000"])).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)
LINES = st.sampled_from(
    [
        "FROM a",
        "RUN --mount=from=b <<E\nx\n\n# y\nE",
        "COPY a \\\n  # c\n\n b",
        "ENV a=b",
        "ARG x",
        "UNKNOWN x",
    ]
)


@given(st.text() | st.text(" \\`<-'\"EO\n\r\t#=[]{}$:/RUNCOPYenvarg--"))
def test_any_text_is_read_or_is_a_syntax_error(text: str) -> None:
    try:
        found = parse(text)
    except DockerfileSyntaxError as error:
        lines = [error.line]
    else:
        lines = [item.line for item in found.instructions]
    assert lines == sorted(set(lines))
    assert set(lines) <= set(range(text.count("\n") + 2))


@given(st.lists(st.tuples(NOISE, LINES), min_size=1), NOISE)
def test_noise_between_instructions_changes_nothing(parts: list[tuple[str, str]], end: str) -> None:
    quiet = "".join(f"{line}\n" for _, line in parts)
    assert read("".join(f"{noise}{line}\n" for noise, line in parts) + end) == read(quiet)


@given(
    st.lists(st.text(string.ascii_letters + " \t$'\"=", min_size=1), min_size=1),
    st.sampled_from(["\\\n", "\\ \t\n", "\\\r\n", "\\\n# c\n", "\\\n\n", "\\\n  \n \t#c\n"]),
)
def test_continued_lines_are_one_line(parts: list[str], joint: str) -> None:
    filled = [part for part in parts if part.strip()]
    assert read(f"RUN x{joint.join(filled)}") == read(f"RUN x{''.join(filled)}")


@given(st.lists(LINES, min_size=1).map("\n".join))
def test_line_ends_of_windows_change_values_nowhere(text: str) -> None:
    assert read(text.replace("\n", "\r\n")) == read(text)
