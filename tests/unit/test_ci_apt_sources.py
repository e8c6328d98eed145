"""ci/apt_sources.py: both notations of apt, and which source is Debian's own archive."""

from __future__ import annotations

from pathlib import Path

import pytest

import apt_sources
from apt_sources import AptSource, debian_archive, parse_deb822, parse_one_line

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN_SOURCES = f"""\
Types: deb
# http://snapshot.example.org/archive/debian/20250520T000000Z
URIs: http://deb.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {KEY}

Types: deb
URIs: http://deb.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEY}
"""


def brief(sources: list[AptSource]) -> list[str]:
    return [f"{source.uri} {source.suite} {' '.join(source.components)}" for source in sources]


def test_deb822_of_a_debian_container() -> None:
    sources = parse_deb822(DEBIAN_SOURCES, "debian.sources")
    assert brief(sources) == [
        "http://deb.example.org/debian bookworm main",
        "http://deb.example.org/debian bookworm-updates main",
        "http://deb.example.org/debian-security bookworm-security main",
    ]
    assert {(source.options, source.path) for source in sources} == {
        ((("Signed-By", KEY),), "debian.sources")
    }


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("\n\n# nothing\n\n", 0),
        ("Types: deb\nURIs: http://a/debian http://b/debian\nSuites: x y\nComponents: main\n", 4),
        ("Types: deb-src\nURIs: http://a/debian\nSuites: x\nComponents: main\n", 0),
        ("Types: deb deb-src\nURIs: http://a/debian\nSuites: x\nComponents: main\n", 1),
        ("Enabled: no\nTypes: deb\nURIs: http://a/debian\nSuites: x\nComponents: main\n", 0),
        ("Enabled: yes\nTypes: deb\nURIs: http://a/debian\nSuites: x\nComponents: main\n", 1),
        ("types: deb\nuris: http://a/debian\nsuites: x\ncomponents: main\n", 1),  # names in any case
        ("Types: deb\nURIs:\n http://a/debian\n http://b/debian\nSuites: x\nComponents: main\n", 2),
        (" a line that continues nothing\nTypes: deb\nURIs: http://a\nSuites: x\n", 1),
        ("no colon here\n", 0),
    ],
)
def test_deb822_corners(text: str, count: int) -> None:
    assert len(parse_deb822(text)) == count


def test_a_key_block_survives_the_round_trip() -> None:
    block = (
        "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQIN: not a field\n -----END PGP PUBLIC KEY BLOCK-----"
    )
    text = f"Types: deb\nURIs: http://a/debian\nSuites: x\nComponents: main\nSigned-By:{block}\n"
    (source,) = parse_deb822(text)
    assert dict(source.options)["Signed-By"] == block
    assert parse_deb822(source.stanza()) == [source]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "deb http://a/debian bookworm main contrib",
            AptSource("http://a/debian", "bookworm", ("main", "contrib")),
        ),
        ("  deb http://a/debian bookworm main # note", AptSource("http://a/debian", "bookworm", ("main",))),
        (
            f"deb [signed-by={KEY} arch=amd64,i386] http://a/debian bookworm main",
            AptSource(
                "http://a/debian",
                "bookworm",
                ("main",),
                (("Signed-By", KEY), ("Architectures", "amd64 i386")),
            ),
        ),
        (
            "deb [ trusted=yes ] http://a/debian bookworm main",
            AptSource("http://a/debian", "bookworm", ("main",), (("Trusted", "yes"),)),
        ),
        (
            "deb [check-valid-until=no] http://a/debian bookworm main",
            AptSource("http://a/debian", "bookworm", ("main",), (("Check-Valid-Until", "no"),)),
        ),
        ("deb http://a/flat ./", AptSource("http://a/flat", "./", ())),
        ("# deb http://a/debian bookworm main", None),
        ("deb-src http://a/debian bookworm main", None),
        ("", None),
        ("deb", None),
    ],
)
def test_one_line_notation(line: str, expected: AptSource | None) -> None:
    assert parse_one_line(line) == ([expected] if expected else [])


def test_all_files_are_read_in_order(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://first x main\n", encoding="utf-8")
    (parts / "b.sources").write_text(DEBIAN_SOURCES, encoding="utf-8")
    (parts / "a.list").write_text("deb http://second x main\n", encoding="utf-8")
    (parts / "c.list.disabled").write_text("deb http://never x main\n", encoding="utf-8")
    sources = apt_sources.read(tmp_path)
    assert [source.uri for source in sources[:3]] == [
        "http://first",
        "http://second",
        "http://deb.example.org/debian",
    ]
    assert len(sources) == 5
    assert sources[1].path == str(parts / "a.list")


def test_a_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert apt_sources.read(tmp_path / "none") == []


def deb822(uri: str, suites: str, components: str = "main") -> str:
    return f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: {components}\n\n"


SNAPSHOT = "https://snapshot.example.org/archive/debian/20250520T000000Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEBIAN_SOURCES, "http://deb.example.org/debian bookworm"),
        # Other people use the same names of suites, and come first in the alphabet.
        (
            deb822("https://apt.example.com", "bookworm") + DEBIAN_SOURCES,
            "http://deb.example.org/debian bookworm",
        ),
        (deb822("https://packages.example.com/debian/12/prod", "bookworm"), ""),
        # A mirror inside a company: nothing but the -updates beside it tells what it is.
        (
            deb822("https://example.com/deb-remote", "bookworm bookworm-updates"),
            "https://example.com/deb-remote bookworm",
        ),
        (deb822(SNAPSHOT, "bookworm"), f"{SNAPSHOT} bookworm"),
        (deb822("http://deb.example.org/debian/", "stable"), "http://deb.example.org/debian/ stable"),
        # The machine's own suite before another one.
        (deb822("http://deb.example.org/debian", "sid bookworm"), "http://deb.example.org/debian bookworm"),
        (deb822("http://deb.example.org/debian", "bookworm", "contrib"), ""),
        (deb822("http://deb.example.org/debian", "bookworm-updates"), ""),
        (deb822("http://deb.example.org/debian-security", "bookworm"), ""),
        (deb822("cdrom:[Debian]/debian", "bookworm"), ""),
        (deb822("http://deb.example.org/ubuntu", "noble noble-updates"), ""),
        ("", ""),
    ],
)
def test_which_source_is_debians_own_archive(text: str, expected: str) -> None:
    found = debian_archive(parse_deb822(text), "bookworm")
    assert (f"{found.uri} {found.suite}" if found else "") == expected


def test_a_release_that_is_younger_than_this_program() -> None:
    text = "deb http://deb.example.org/debian gnocchi main\n"
    assert debian_archive(parse_one_line(text), "gnocchi")
    assert debian_archive(parse_one_line(text), "") is None
