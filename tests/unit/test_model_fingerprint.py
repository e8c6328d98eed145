"""Fingerprints: what they are made of, the label that carries them, and what differs from an earlier one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model import fingerprint as prints
from homeport.model.fingerprint import (
    Change,
    Files,
    Fingerprint,
    Listing,
    Recorded,
    compare,
    digest_of,
    label,
    make,
    read_label,
    recorded,
    summary,
)

SOME: Files = {"src": ("/", "755"), "src/a.py": ("a1", "644"), "src/b.py": ("b1", "644")}


def listing(files: Files) -> Listing:
    return Listing(digest_of(dict(files)), lambda: files)


def fingerprint(
    files: Files = SOME,
    inputs: Mapping[str, str] | None = None,
    *,
    context: str = "",
    unknown: tuple[str, ...] = (),
    **more: str,
) -> Fingerprint:
    digests = {name: digest_of(value) for name, value in {**(inputs or {}), **more}.items()}
    return make(digests, {context: listing(files)} if files else {}, unknown)


def test_the_algorithm_is_what_it_was() -> None:
    # Whoever has to change this value has to raise VERSION: images built by older releases carry the old one.
    found = make(
        {"image alpine": "sha256:1", "stage 1": "two"},
        {"": Listing("three", dict), "lib": Listing("four", dict)},
    )
    assert (prints.VERSION, found.digest) == (
        "1",
        "ab603785fee46e010e36ed26240169c84ae79bc1dc356fbb91688d9c151e4fba",
    )
    assert found.tag == f"fp-{found.digest}"


def test_files_are_inputs_under_the_name_of_their_context() -> None:
    assert set(fingerprint(arg="1").inputs) == {"arg", "files"}
    assert set(fingerprint(context="lib").inputs) == {"files of context lib"}


def test_every_input_counts_and_their_order_does_not() -> None:
    one = make({"a": "1", "b": "2"}, {})
    assert make({"b": "2", "a": "1"}, {}).digest == one.digest
    different = [{"a": "1"}, {"a": "2", "b": "1"}, {"a": "1", "b": "2", "c": ""}, {"a1": "", "b": "2"}, {}]
    assert len({make(inputs, {}).digest for inputs in different} | {one.digest}) == len(different) + 1


def test_what_is_unknown_says_why_each_reason_once() -> None:
    found = fingerprint(unknown=("one", "two", "one"))
    assert (found.known, found.unknown) == (False, ("one", "two"))
    assert fingerprint().known


def test_files_are_put_together_only_when_somebody_looks() -> None:
    read: list[int] = []

    def files() -> Files:
        read.append(1)
        return SOME

    found = make({}, {"": Listing("x", files)})
    assert (found.known, read) == (True, [])
    compare(recorded(found), found)
    label(found)
    assert read == [1]


# -- the label ----------------------------------------------------------------------------------------------


def test_a_label_holds_short_digests_and_no_value() -> None:
    found = fingerprint(argument="secret")
    document = json.loads(label(found))
    assert document["inputs"]["argument"] == digest_of("secret")[:16]
    assert document["files"][""]["src/a.py"] == ["a1", "644"]
    assert "secret" not in label(found)


@pytest.mark.parametrize(
    "name", ["über/ñ", "a\nb", "${HOME}", "%{if}", "\udcff-no-utf-8", '"', "\\", "😀", "\x1b[2J"]
)
def test_names_of_any_kind_come_back_and_the_label_is_one_plain_line(name: str) -> None:
    text = label(fingerprint({name: ("c", "644")}, {name: "x"}))
    assert text.isascii()
    assert text.isprintable()
    assert read_label(text) == recorded(fingerprint({name: ("c", "644")}, {name: "x"}))


def many(count: int, content: str = "0", mode: str = "644") -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for number in range(count):
        folder = f"services/service-{number % 40:02d}/package-{number % 7}"
        found[f"{folder}/module_{number:05d}.py"] = (f"{content}{number:015x}", mode)
    return found


@pytest.mark.parametrize(
    "files",
    [
        many(12_000),
        {f"{number:05d}" + "x" * 30: ("c" * 16, "644") for number in range(12_000)},  # all in one folder
        {f"{number:05d}/" + "deep/" * 40 + "x": ("c" * 16, "644") for number in range(12_000)},
    ],
)
def test_a_label_stays_small(files: Files) -> None:
    found = fingerprint(files)
    assert len(label(found)) < 8_000
    assert read_label(label(found)) is not None
    assert compare(read_label(label(found)) or Recorded(), found) == ()


def test_folders_stand_for_files_as_deep_as_there_is_room() -> None:
    files = {f"a/b{number}/c/{name}": (f"{number}", "644") for number in range(5) for name in "xyz"}
    assert summary(files, 100) == files
    assert set(summary(files, 5)) == {f"a/b{number}/c/" for number in range(5)}
    assert set(summary(files, 4)) == {"a/"}
    assert summary({}, 0) == {}


def test_a_folder_with_one_file_shows_that_file_s_entry() -> None:
    assert summary({"a/x": ("c", "644"), "b": ("d", "755")}, 1).keys() == {".../"}
    assert summary({"a/x": ("c", "644"), "a/y/z": ("d", "755"), "b": ("e", "644")}, 2)["b"] == ("e", "644")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "no json",
        '"text"',
        '{"inputs": {}}',
        '{"inputs": [], "files": {}}',
        '{"inputs": {}, "files": []}',
        '{"inputs": {}, "files": {"": []}}',
        '{"inputs": {}, "files": {"": {"a": []}}}',
        '{"inputs": {}, "files": {"": {"a": {}}}}',
        '{"inputs": {}, "files": {"": {"a": 1}}}',
        "[" * 100_000,
        '{"inputs": ' + "1" * 10_000 + "}",
        '{"inputs": {"a": "b"}',
    ],
)
def test_a_broken_label_is_none(text: str) -> None:
    assert read_label(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"inputs": {"files": {"x": [1]}}, "files": {"": {"a": "bc"}, "other": {"/": ["", ""]}}}',
        '{"inputs": {"files": null, "\\ud800": 1}, "files": {"": {"\\ud800/": [null, 1, 2]}}}',
        '{"inputs": {}, "files": {}, "more": 1}',
    ],
)
def test_a_forged_label_does_no_harm(text: str) -> None:
    before = read_label(text)
    assert before is not None
    found = compare(before, fingerprint())
    assert found
    assert all(isinstance(change.what, str) for change in found)


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["inputs", "files", "", "a"]), inner),
    ).map(json.dumps)
)
def test_any_label_can_be_read_and_compared(text: str) -> None:
    before = read_label(text)
    if before is not None:
        compare(before, fingerprint())


# -- what differs -------------------------------------------------------------------------------------------


def changes(before: Fingerprint, now: Fingerprint) -> list[tuple[str, str]]:
    return [(change.what, change.how) for change in compare(recorded(before), now)]


def test_nothing_differs() -> None:
    assert changes(fingerprint(a="1"), fingerprint(a="1")) == []


def test_inputs_by_name() -> None:
    assert changes(fingerprint(a="1", b="1", c="1"), fingerprint(a="1", b="2", d="1")) == [
        ("b", "changed"),
        ("c", "removed"),
        ("d", "added"),
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**SOME, "src/a.py": ("a2", "644")}, [("src/a.py", "changed")]),
        ({**SOME, "src/a.py": ("a1", "755")}, [("src/a.py", "mode 644 -> 755")]),
        ({**SOME, "src/a.py": ("a2", "755")}, [("src/a.py", "changed")]),
        ({**SOME, "new": ("c", "644")}, [("new", "added")]),
        ({"src": ("/", "755"), "src/b.py": ("b1", "644")}, [("src/a.py", "removed")]),
        ({**SOME, "src": ("/", "700")}, [("src", "mode 755 -> 700")]),
    ],
)
def test_files_stand_in_place_of_their_digest(files: Files, expected: list[tuple[str, str]]) -> None:
    assert changes(fingerprint(), fingerprint(files)) == expected


def test_files_of_another_context_say_which() -> None:
    other = {**SOME, "src/a.py": ("a2", "644")}
    assert changes(fingerprint(context="lib"), fingerprint(other, context="lib")) == [
        ("lib: src/a.py", "changed")
    ]


def test_files_that_were_not_read_before_and_no_longer() -> None:
    found = changes(fingerprint({"x": ("1", "644")}, context="old"), fingerprint({"y": ("1", "644")}))
    assert found == [("y", "added"), ("old: x", "removed")]


def test_where_nobody_wrote_files_down_their_digest_differs() -> None:
    before = Recorded({"files": "other"}, {})
    same = Recorded({"files": "other"}, {"": dict(SOME)})
    assert [change.how for change in compare(before, fingerprint())] == ["added"] * 3
    assert compare(same, fingerprint()) == (Change("files", "changed"),)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"services/service-03/package-1/module_00323.py": ("other", "644")},
            [("services/service-03/", "changed")],
        ),
        (
            {"services/service-03/package-1/module_00323.py": (f"0{323:015x}", "755")},
            [("services/service-03/", "mode")],
        ),
        ({"README": ("r", "644")}, [("README", "added")]),
    ],
)
def test_a_label_of_folders_says_which_folder(
    change: Mapping[str, tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    before = read_label(label(fingerprint(many(400)))) or Recorded()
    found = compare(before, fingerprint({**many(400), **change}))
    assert [(item.what, item.how) for item in found] == expected


def test_many_files_in_one_folder_are_not_all_new() -> None:
    files = {f"{number:05d}": ("c", "644") for number in range(200)}
    before = read_label(label(fingerprint(files))) or Recorded()
    assert compare(before, fingerprint({**files, "00003": ("d", "644")})) == (Change("00003", "changed"),)
    assert compare(before, fingerprint({**files, "00150": ("d", "644")})) == (Change(".../", "changed"),)


ENTRIES = st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["644", "755"]))
FILES = st.dictionaries(
    st.text("ab/", min_size=1, max_size=4).filter(lambda path: not path.endswith("/")), ENTRIES
)


@given(FILES, FILES)
def test_a_record_differs_exactly_where_files_do(
    one: dict[str, tuple[str, str]], other: dict[str, tuple[str, str]]
) -> None:
    found = compare(recorded(make({}, {"": listing(one)})), make({}, {"": listing(other)}))
    assert {change.what for change in found} == {
        path for path in {*one, *other} if one.get(path) != other.get(path)
    }


@given(FILES, FILES, st.integers(1, 6))
def test_a_summary_is_short_and_equal_only_for_equal_files(
    one: dict[str, tuple[str, str]], other: dict[str, tuple[str, str]], most: int
) -> None:
    assert len(summary(one, most)) <= most
    assert (summary(one, most) == summary(other, most)) == (one == other)
