"""Arguments of instructions, against the vectors of BuildKit (frontend/dockerfile: parser, instructions)."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.dockerfile import parse
from homeport.model.expansion import ExpansionError
from homeport.model.instruction import (
    DockerfileSyntaxError,
    Instruction,
    assignments,
    declarations,
    fields,
    heredoc_of,
    json_form,
    mounts,
    paths,
    words,
)


def one(text: str) -> Instruction:
    return parse(text).instructions[-1]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # parser_test.go
        ("foo", ["foo"]),
        ("foo bar", ["foo", "bar"]),
        ("foo\\ bar", ["foo\\ bar"]),
        ("foo=bar", ["foo=bar"]),
        ("foo bar 'abc xyz'", ["foo", "bar", "'abc xyz'"]),
        ('foo bar "abc xyz"', ["foo", "bar", '"abc xyz"']),
        ('föo bàr "âbc xÿz"', ["föo", "bàr", '"âbc xÿz"']),
        # Not from there.
        ("", []),
        ("a\u2003b\u0085c\x1cd", ["a", "b", "c\x1cd"]),
        ("a 'b c", ["a", "'b c"]),
        ('a "b\\" c', ["a", '"b\\" c']),
        ("'a\\' b", ["'a\\'", "b"]),
        ("a\\", ["a"]),
        ("\\", []),
        ('"a\\', ['"a']),
        ("'' x", ["''", "x"]),
    ],
)
def test_words(text: str, wanted: list[str]) -> None:
    assert words(text) == tuple(wanted)


def test_words_with_another_escape_character() -> None:
    assert words('c:\\ x` y "`" z"', "`") == ("c:\\", "x` y", '"`" z"')


def test_fields_know_no_quotes_and_only_some_white_space() -> None:
    assert fields("'a b'\t\v\fc\u2003d") == ("'a", "b'", "c\u2003d")
    assert fields("") == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # json_test.go
        ("[]", ()),
        ('[""]', ("",)),
        ('["a","b"]', ("a", "b")),
        ('\t[\t"a",\t"b"\t]\t', ("a", "b")),
        (r'["abc 123", "♥", "\" \\ \/ \b \f \n \r \t \u0000"]', ("abc 123", "♥", '" \\ / \b \f \n \r \t \0')),
        # Not from there.
        ("", None),
        ("a", None),
        ('{"a": 1}', None),
        ('["a",]', None),
        ('["a"] b', None),
        ("['a']", None),
        ('["a\tb"]', None),
        ("[NaN]", None),
        ("[1e999]", None),
        ("[" * 100000, None),
        (r'["\ud800", "\ud83d\ude00"]', ("\ufffd", "😀")),
        ('["\udcff"]', ("\ufffd",)),
    ],
)
def test_json(text: str, wanted: tuple[str, ...] | None) -> None:
    assert json_form(text) == wanted


@pytest.mark.parametrize("item", ["42", "123.456", "{}", '{"c": "d"}', '["c"]', "true", "false", "null"])
def test_json_arrays_of_other_things(item: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        json_form(f'["a",{item},"b"]')


@pytest.mark.parametrize(
    ("word", "name"),
    [
        # parser_heredoc_test.go
        *((word, "EOF") for word in ("<<EOF", "<<'EOF'", '<<"EOF"', "<<-EOF", "<<-'EOF'", '<<-"EOF"')),
        *((word, "EOF") for word in ('<<EO"F"', "<< EOF", "<<- EOF", "4<<EOF")),
        *((word, None) for word in ("", "EOF", "<<", "<<-", "<EOF", "<<<EOF", "<<EOF sh", "a<<EOF")),
    ],
)
def test_names_of_heredocs(word: str, name: str | None) -> None:
    found = heredoc_of(word)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("word", ["<<'EOF", '<<"EOF', "<<EOF'", '<<EOF"'])
def test_unclear_names_of_heredocs(word: str) -> None:
    with pytest.raises(ExpansionError):
        heredoc_of(word)


@pytest.mark.parametrize(
    ("text", "sources", "destination"),
    [
        ("COPY /foo /bar", ["/foo"], "/bar"),
        ("ADD\t.\t\t/", ["."], "/"),
        ('COPY [ "test file", "b", "/x y" ]', ["test file", "b"], "/x y"),
        ("COPY [a] /x", ["[a]"], "/x"),
        ('COPY "a b" /x', ['"a', 'b"'], "/x"),
        ("COPY --from=x --link a$b c* \\\n ./", ["a$b", "c*"], "./"),
        ("COPY <<EOF /bar\nEOF", [], "/bar"),
        ("COPY <<EOF1 <<'EOF2' /bar\n1\nEOF1\n2\nEOF2", [], "/bar"),
        ("COPY <<EOF foo.txt /bar\nx\nEOF", ["foo.txt"], "/bar"),
        ('COPY ["<<EOF", "b", "/x"]', ["b"], "/x"),
        ("COPY <<  EOF /x\nEOF", ["<<", "EOF"], "/x"),
    ],
)
def test_paths(text: str, sources: list[str], destination: str) -> None:
    assert paths(one(text)) == (tuple(sources), destination)


@pytest.mark.parametrize(
    "text", ["COPY", "ADD a", 'COPY ["a"]', "COPY []", "COPY /foo <<EOF\nEOF", "COPY --a=b c"]
)
def test_paths_that_are_not_enough(text: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        paths(one(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # testfiles/env
        ("name value", [("name", "value")]),
        ("name=value name2=value2", [("name", "value"), ("name2", "value2")]),
        ('name="value value1"', [("name", '"value value1"')]),
        ("name=value\\ value2 b=c\\ d", [("name", "value\\ value2"), ("b", "c\\ d")]),
        ("name=\"a'quote space'b\"", [("name", "\"a'quote space'b\"")]),
        ("name='a\"double quote\"b'", [("name", "'a\"double quote\"b'")]),
        ('name="a\\"b"', [("name", '"a\\"b"')]),
        ("name='a\\'b''", [("name", "'a\\'b''")]),
        ('a="b \\\n   c" \\\n\td="e\\\\nf" \\', [("a", '"b    c"'), ("d", '"e\\\\nf"')]),
        # Not from there.
        ("a b=c  'd'   e", [("a", "b=c  'd'   e")]),
        ("a= b==c", [("a", ""), ("b", "=c")]),
        ("$n=v", [("$n", "v")]),
        ("a\u00a0b=c d", [("a\u00a0b=c", "d")]),
    ],
)
@pytest.mark.parametrize("keyword", ["ENV", "LABEL"])
def test_assignments(keyword: str, text: str, wanted: list[tuple[str, str]]) -> None:
    assert assignments(one(f"{keyword} {text}")) == tuple(wanted)


@pytest.mark.parametrize("text", ["ENV", "LABEL", "ENV =x", "ENV a=b =c"])
def test_assignments_without_a_name(text: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        assignments(one(text))


def test_assignments_with_another_escape_character() -> None:
    assert assignments(one("# escape=`\nENV a=c:\\ b=x` y")) == (("a", "c:\\"), ("b", "x` y"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("foo bar=baz", [("foo", None), ("bar", "baz")]),
        ('abc="123 456" def', [("abc", '"123 456"'), ("def", None)]),
        ("a= b=''", [("a", ""), ("b", "''")]),
        ("a=${b:-x=y}", [("a", "${b:-x=y}")]),
    ],
)
def test_declarations(text: str, wanted: list[tuple[str, str | None]]) -> None:
    assert declarations(one(f"ARG {text}")) == tuple(wanted)


@pytest.mark.parametrize("text", ["ARG", "ARG =x"])
def test_declarations_without_a_name(text: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        declarations(one(text))


BIND = {"type": "bind", "readonly": "true"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("target=/m", BIND | {"target": "/m"}),
        ("type=bind,src=a,dst=/m,from=x", BIND | {"source": "a", "target": "/m", "from": "x"}),
        ("source=a,destination=/m", BIND | {"source": "a", "target": "/m"}),
        ("TYPE=Cache,target=/m", {"type": "cache", "readonly": "false", "target": "/m"}),
        ("type=tmpfs,size=1m", {"type": "tmpfs", "readonly": "false", "size": "1m"}),
        ("type=cache,ro", {"type": "cache", "readonly": "true"}),
        ("rw", BIND | {"readonly": "false"}),
        ("readwrite=false", BIND),
        ("ro=0", BIND | {"readonly": "false"}),
        ("ro,readonly=F", BIND | {"readonly": "false"}),
        ("type=secret,id=s,required", {"type": "secret", "readonly": "true", "id": "s", "required": "true"}),
        ("source=a,source=b", BIND | {"source": "b"}),
        ("from=x$", BIND | {"from": "x$"}),
        ('\'"from=a,b","source=c""d"\'', BIND | {"from": "a,b", "source": 'c"d'}),
        ("source=$a", BIND | {"source": "$a"}),
    ],
)
def test_mounts(text: str, wanted: dict[str, str]) -> None:
    assert mounts(one(f"RUN --mount={text} true")) == (wanted,)


def test_all_mounts_and_nothing_else() -> None:
    assert [mount["id"] for mount in mounts(one("RUN --mount=id=a --network=none --mount=id=b x"))] == [
        "a",
        "b",
    ]
    assert mounts(one("RUN x --mount=id=a")) == ()


def test_mounts_are_expanded_but_for_from() -> None:
    found = mounts(one("RUN --mount=type=x,from=y,source=z true"), lambda text: text.upper())
    assert found == ({"type": "x", "from": "y", "source": "Z", "readonly": "true"},)


@pytest.mark.parametrize(
    "text", ["", "x", "source", "from", "from=$x", "id=a,", "'id=a\"b'", "'\"id=a'", "'\"a\"b'"]
)
def test_what_is_no_mount(text: str) -> None:
    with pytest.raises(DockerfileSyntaxError):
        mounts(one(f"RUN --mount={text} true"))


@given(st.text("ab=\"'\\ \t"), st.sampled_from("\\`"))
def test_words_are_in_the_text_and_in_order(text: str, escape: str) -> None:
    position = 0
    for word in words(text, escape):
        position = text.index(word, position) + len(word)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_json_of_strings(items: list[str]) -> None:
    assert json_form(json.dumps(items)) == tuple(items)


@given(st.text('ab=,"'))
def test_any_mount_is_read_or_is_a_syntax_error(text: str) -> None:
    with contextlib.suppress(DockerfileSyntaxError):
        mounts(Instruction("RUN", (("mount", text),), ""))
