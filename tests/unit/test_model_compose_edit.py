"""Lines put into YAML: everything else byte for byte the same, and the content exactly what was asked for."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from compose_texts import compose_files
from homeport.errors import DefinitionError
from homeport.model.compose_edit import Adds, CannotEdit, Insertion, insert, insertions, with_adds
from homeport.model.yaml_tree import Document, parse

CPUS = ("deploy", "resources", "limits", "cpus")
RESERVED = ("deploy", "resources", "reservations", "cpus")
ADDS: Adds = {CPUS: "1.0", RESERVED: "0.5"}
WITH_LOGS: Adds = {**ADDS, ("logging", "options", "max-size"): "10m"}
LINES = """\
{0}deploy:
{0}  resources:
{0}    limits:
{0}      cpus: '1.0'
{0}    reservations:
{0}      cpus: '0.5'
"""


def document(text: str | bytes) -> Document:
    data = text.encode() if isinstance(text, str) else text
    return parse(data, Path("/x/compose.yml"), "compose.yml")


def edited(text: str, adds: Adds = ADDS, service: str = "a") -> str:
    return insert(text, insertions(document(text), 0, service, adds))


class _Plain(SafeConstructor):
    """Another reader than ours, for comparison: ruamel.yaml's own, with Compose's tags as pairs."""


def _tagged(constructor: Any, suffix: str, node: Any) -> Any:
    plain = copy.copy(node)
    kind = {"MappingNode": "map", "SequenceNode": "seq"}.get(type(node).__name__, "str")
    plain.ctag = constructor.loader.resolver.resolve(type(node), getattr(node, "value", ""), (True, False))
    return (suffix, kind, str(node.start_mark.line) and repr(constructor.construct_object(plain, deep=True)))


_Plain.add_multi_constructor("!", _tagged)


def load(data: bytes) -> list[Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of anchors that are defined anew
        return list(yaml.load_all(data.decode("utf-8-sig")))


@settings(max_examples=150)
@given(compose_files())
def test_any_file_only_gains_lines_and_says_exactly_what_was_asked_for(data: bytes) -> None:
    old = document(data)
    expected = copy.deepcopy(load(data))
    found: list[Insertion] = []
    for name in old.values[0]["services"]:
        try:
            with_adds(old.values[0]["services"][name], WITH_LOGS)
            found += insertions(old, 0, name, WITH_LOGS)
        except CannotEdit:
            continue
        expected[0]["services"][name] = with_adds(expected[0]["services"][name], WITH_LOGS)
    new = old.encoded(insert(old.text, found))
    assert load(new) == expected
    before, after = data.splitlines(keepends=True), new.splitlines(keepends=True)
    if old.text.endswith("\n"):
        left = iter(after)
        assert all(line in left for line in before), "lines are missing or in another order"
        assert len(after) == len(before) + sum(one.text.count("\n") for one in found)
    added = sum(len(one.text.encode()) for one in found)
    assert len(new) == len(data) + added
    line_ends = new.count(b"\r\n")
    assert line_ends == (new.count(b"\n") if b"\r\n" in data else 0)
    # What is there isn't put in again.
    again = document(new)
    for name in again.values[0]["services"]:
        if again.values[0]["services"][name] != old.values[0]["services"][name]:
            with pytest.raises(CannotEdit):
                insertions(again, 0, name, ADDS)


@settings(max_examples=50)
@given(compose_files())
def test_nothing_to_put_in_changes_nothing(data: bytes) -> None:
    old = document(data)
    assert old.encoded(insert(old.text, ())) == data


def test_a_service_without_deploy_gets_it_at_its_end() -> None:
    text = "services:\n  a:\n    image: x  # y\n    # of a\n\n  # of b\n  b:\n    image: y\n"
    first, rest = text[: text.index("\n\n") + 1], text[text.index("\n\n") + 1 :]
    assert edited(text) == first + LINES.format("    ") + rest


def test_the_last_service_of_a_file_without_a_last_line_end() -> None:
    assert edited("services:\n  a:\n    image: x") == "services:\n  a:\n    image: x\n" + LINES.format(
        "    "
    ).rstrip("\n")


def test_what_is_there_is_filled_up() -> None:
    text = (
        "services:\n  a:\n    deploy:\n      resources:\n        limits:\n          memory: 1G # m\n"
        "      replicas: 2\n    image: x\n"
    )
    assert edited(text) == text.replace(
        "# m\n", "# m\n          cpus: '1.0'\n        reservations:\n          cpus: '0.5'\n"
    )


def test_indentation_quotes_and_line_ends_are_the_files_own() -> None:
    text = 'services:\r\n    a:\r\n        image: "x"\r\n'
    new = edited(text, {CPUS: "1.0"})
    assert new == text + (
        "        deploy:\r\n            resources:\r\n                limits:\r\n"
        '                    cpus: "1.0"\r\n'
    )


def test_empty_parts_get_their_lines_below() -> None:
    assert edited("services:\n  a:\n") == "services:\n  a:\n" + LINES.format("    ")
    text = "services:\n  a:\n    deploy:   # none\n    image: x\n"
    assert edited(text) == text.replace("# none\n", "# none\n" + LINES.format("    ").partition("\n")[2])


def test_a_text_that_keeps_its_blank_lines_keeps_them() -> None:
    text = "services:\n  a:\n    command: |+\n      x\n\n\n  b:\n    image: x\n"
    assert edited(text) == text.replace("\n\n\n", "\n\n\n" + LINES.format("    "))


def test_kinds_of_values() -> None:
    adds = {
        ("deploy", "resources", "limits", "memory"): "512M",
        ("deploy", "resources", "limits", "pids"): "100",
        ("logging", "driver"): "json-file",
        ("logging", "options", "max-size"): "10m",
        ("logging", "options", "max-file"): "3",
        ("deploy", "resources", "reservations", "memory"): "${MEMORY:-1g}",
    }
    new = edited("services:\n  a:\n    image: x\n", adds)
    assert document(new).values[0]["services"]["a"] == with_adds({"image": "x"}, adds)
    for line in ("memory: 512M", "pids: 100", "driver: json-file", "max-size: '10m'", "max-file: '3'"):
        assert f" {line}\n" in new
    assert "memory: '${MEMORY:-1g}'\n" in new


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: {a: {image: x}}\n", "'services' is written in braces"),
        ("services:\n  a: {image: x}\n", "it is written in braces"),
        ("services:\n  a:\n    deploy: {}\n", "its 'deploy' is written in braces"),
        ("services:\n  a:\n    deploy: ~\n", "its 'deploy' is no mapping"),
        ("services:\n  a:\n    deploy: text\n", "its 'deploy' is no mapping"),
        ("services:\n  a:\n    deploy: !reset null\n", "its 'deploy' has the tag !reset"),
        ("services:\n  a: &a\n    image: x\n  b: *a\n", "it has the anchor &a"),
        ("services:\n  a: &a\n    image: x\n  b:\n    <<: *a\n", "it has the anchor &a"),
        ("services:\n  b: &b\n    image: x\n  a: *b\n", "it is an alias (*b)"),
        ("x: &x {}\nservices:\n  a:\n    deploy: *x\n", "its 'deploy' is an alias (*x)"),
        ("x: &x\n  deploy: {a: b}\nservices:\n  a:\n    <<: *x\n", "its 'deploy' comes by a merge"),
        ("x: &x\n  deploy: {a: b}\nservices:\n  a:\n    <<: [*x]\n", "its 'deploy' comes by a merge"),
        ("x: &x\n  <<: &y {deploy: b}\nservices:\n  a:\n    <<: *x\n", "its 'deploy' comes by a merge"),
        (
            "services:\n  a:\n    deploy:\n      resources: &r\n        limits:\n          pids: 1\nx: *r\n",
            "its 'deploy.resources' has the anchor &r",
        ),
        ("services:\n  ? a\n  : image: x\n", "'services' doesn't begin with a line of its own"),
        ("services:\n  a:\n    command: |\n      x", "the file ends within a text"),
        ("services:\n  b:\n    image: x\n", "it stands in no place of its own"),
        ("x: &x\n  a:\n    image: x\nservices:\n  <<: *x\n", "it stands in no place of its own"),
        (
            "services:\n  a:\n    deploy:\n      resources:\n        limits:\n          cpus:\n",
            "has a 'cpus' already",
        ),
    ],
)
def test_what_would_change_more_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        edited(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a:\n  - b\n c: d\n", "compose.yml, line 3, column 2: this is no YAML"),
        (b"a: b\n\tc: d\n", "compose.yml, line 2"),
        (b"a:\tb\n", "compose.yml, line 1, column 3: a tab stands where only blanks can be read"),
        (b"a: 1\na: 2\n", "line 2: the key 'a' stands there twice"),
        (b"a: *nothing\n", "compose.yml, line 1, column 4: this is no YAML"),
        (b"a: &a [*a]\n", "an anchor holds itself"),
        (b"a: \xff\n", "compose.yml, line 1: this is no UTF-8"),
        ("a: 1\n".encode("utf-16"), "this is no UTF-8"),
        (b"a: \x01\n", "this is no YAML"),
        (b"a: 1\rb: 2\r", "single carriage return"),
        (b"? [a]\n: b\n", "a key that is no text"),
        (b"<<: 1\n", "merges something that is no mapping"),
        (b"a: " + b"[" * 10_000, ""),
        (b"#" * 9_000_000, "9 MB"),
        (
            b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + b"".join(
                b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 30)
            ),
            "its aliases stand for too many values",
        ),
    ],
)
def test_what_is_no_yaml_is_one_error_with_its_line(text: bytes, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        document(text)
    assert said in caught.value.what
    assert caught.value.exit_code == 2


def test_an_anchor_defined_twice_is_allowed() -> None:
    assert document("a: &x 1\nb: &x 2\nc: *x\n").values[0]["c"] == "2"


def test_ten_thousand_lines_are_quick_enough() -> None:
    text = "services:\n" + "".join(
        f"  a{n}:\n    image: x\n    ports:\n      - '{n}:80'\n" for n in range(2500)
    )
    assert edited(text, service="a2499") == text + LINES.format("    ")
