"""Why a target is built or not, in words."""

from __future__ import annotations

import pytest

from homeport.build import reasons
from homeport.build.options import BuildOptions
from homeport.build.standing import Copy, Found, Standing
from homeport.engine.images import Image
from homeport.engine.manifests import Manifest
from homeport.model.fingerprint import Change, Files, Fingerprint, Listing, digest_of, make, recorded
from made_up import Targets, facts

TARGETS: Targets = {
    "app": {"contexts": {"base": "target:base"}, "tags": ["x/app"]},
    "base": {"tags": ["x/base"]},
}
NEEDS = {"app": ("base",), "base": ()}
IMAGE = Image("sha256:1", frozenset())
IN_REGISTRY = Found(copies=(Copy(Manifest("r/x:fp-1", "sha256:1", "t", b"")),))
FILES: Files = {"a": ("1", "644"), "b": ("1", "644"), "c": ("1", "644")}


def fingerprint(files: Files = FILES, unknown: tuple[str, ...] = (), **inputs: str) -> Fingerprint:
    digests = {name.replace("_", " "): digest_of(value) for name, value in inputs.items()}
    return make(digests, {"": Listing(digest_of(dict(files)), lambda: files)}, unknown)


def standing(
    now: Fingerprint,
    before: Fingerprint | None = None,
    *,
    found: Found | None = None,
    current: Image | None = None,
) -> Standing:
    return Standing(
        {"app": now, "base": now},
        {"app": found, "base": found} if found else {},
        {"app": recorded(before), "base": recorded(before)} if before else {},
        {"app": current, "base": current},
    )


def why(stands: Standing, options: BuildOptions | None = None, name: str = "app") -> str:
    return reasons.built(name, facts(TARGETS, "app"), options or BuildOptions(), stands, NEEDS)


@pytest.mark.parametrize(
    ("stands", "options", "expected"),
    [
        (Standing(), BuildOptions(), "requested"),
        (standing(fingerprint()), BuildOptions(), "new"),
        (standing(fingerprint(), current=IMAGE), BuildOptions(), "no record of what its image was made of"),
        (standing(fingerprint(), fingerprint()), BuildOptions(), "its image is gone"),
        (standing(fingerprint(), fingerprint()), BuildOptions(skip=False), "asked for with --no-skip"),
        (
            standing(fingerprint(unknown=("it says pull", "more"))),
            BuildOptions(),
            "always built: it says pull",
        ),
        (
            standing(fingerprint(), found=Found("sha256:1")),
            BuildOptions(push=True),
            "not in the registry yet",
        ),
        (standing(fingerprint(arg="1"), fingerprint(arg="2")), BuildOptions(), "arg changed"),
    ],
)
def test_why_it_is_built(stands: Standing, options: BuildOptions, expected: str) -> None:
    assert why(stands, options) == expected
    needed = why(stands, options, "base")
    assert needed == ("needed by app" if expected == "requested" else f"needed by app: {expected}")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**FILES, "a": ("2", "644")}, "a changed"),
        ({**FILES, "a": ("2", "644"), "new": ("1", "644")}, "a changed, new added"),
        (
            {**FILES, "a": ("2", "644"), "b": ("2", "644"), "c": ("2", "755")},
            "a changed, b changed and 1 more",
        ),
        ({"a": ("1", "644"), "b": ("2", "644")}, "b changed, c removed"),
        # Nothing but modes: that is one thing that happened, and not one for each file.
        (
            dict.fromkeys(FILES, ("1", "664")),
            "only the permissions of 3 files differ (644 -> 664): checked out with another umask?",
        ),
        (
            {**FILES, "a": ("1", "600"), "b": ("1", "755")},
            "only the permissions of 2 files differ (644 -> 600, 644 -> 755):"
            " checked out with another umask?",
        ),
        ({**FILES, "a": ("2", "644"), "b": ("1", "600")}, "a changed, b mode 644 -> 600"),
    ],
)
def test_files_that_differ(files: Files, expected: str) -> None:
    assert why(standing(fingerprint(files), fingerprint())) == expected


def test_what_it_builds_on_comes_first() -> None:
    now = fingerprint({**FILES, "a": ("2", "644")}, argument_x="2", target_base="2", image_alpine="2")
    before = fingerprint(argument_x="1", target_base="1", image_alpine="1")
    assert why(standing(now, before)) == "image alpine changed, target base changed and 2 more"


def test_modes_of_folders_in_a_label_have_no_numbers() -> None:
    found = [Change("src/", "mode"), Change("lib/", "mode")]
    assert reasons.another_umask(found).startswith("only the permissions of 2 files differ: ")
    assert reasons.another_umask([]) == ""
    assert reasons.another_umask([Change("src/", "mode"), Change("x", "changed")]) == ""


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("app", Found("sha256:1"), "unchanged, in the engine"),
        ("app", IN_REGISTRY, "unchanged, in the registry"),
        ("base", Found("sha256:1"), "needed by app: unchanged, in the engine"),
    ],
)
def test_why_it_is_not_built(name: str, found: Found, expected: str) -> None:
    told = reasons.skipped(name, facts(TARGETS, "app"), standing(fingerprint(), found=found), NEEDS)
    assert told == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "needed by a0"), (3, "needed by a0, a1, a2"), (5, "needed by a0, a1, a2 and 2 more")],
)
def test_who_needs_it(count: int, expected: str) -> None:
    assert reasons.needed_by("base", {f"a{number}": ("base",) for number in range(count)}) == expected


def test_names_of_files_are_made_fit_for_a_terminal() -> None:
    text = why(standing(fingerprint({"\x1b[2J\udcff": ("1", "644")}), fingerprint({"b": ("1", "644")})))
    text.encode()
    assert "\x1b" not in text
