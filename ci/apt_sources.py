"""Read apt's own list of package sources, in both of its notations, and find Debian's archive in it.

Only text goes in and data comes out, except for `read()`. Nothing here knows an address of a mirror: a
machine that was given one keeps using it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

APT = Path("/etc/apt")

# What a second suite of the same archive must take over, or apt would trust or reject it differently.
INHERITED = ("Signed-By", "Trusted", "Architectures", "Check-Valid-Until", "Check-Date", "Allow-Weak")
# The one-line notation has its own names for some of them; the others differ in case only.
ONE_LINE_NAMES = {"arch": "Architectures"}

SUITES = ("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid")
ALIASES = ("oldoldstable", "oldstable", "stable", "testing", "unstable")
# Mirrors keep the archive's last folder; a snapshot of it adds its date.
ARCHIVE_PATH = re.compile(r"/debian(/[0-9]{8}T[0-9]{6}Z)?/?$")


@dataclass(frozen=True)
class AptSource:
    """One suite at one address; `options` are deb822 fields such as Signed-By, in the order of INHERITED."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    path: str = ""

    def stanza(self) -> str:
        """The source in deb822 notation."""
        fields = {
            "Types": "deb",
            "URIs": self.uri,
            "Suites": self.suite,
            "Components": " ".join(self.components),
        }
        return "".join(f"{key}: {value}\n" for key, value in {**fields, **dict(self.options)}.items())


def parse_deb822(text: str, path: str = "") -> list[AptSource]:
    """Read a *.sources file: stanzas of `Key: value`, where several addresses and suites share one."""
    sources: list[AptSource] = []
    for fields in _stanzas(text):
        enabled = fields.get("enabled", "yes").strip().lower() not in ("no", "false", "off", "0", "without")
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        options = _inherited(fields)
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                sources.append(AptSource(uri, suite, components, options, path))
    return sources


def parse_one_line(text: str, path: str = "") -> list[AptSource]:
    """Read a *.list file: `deb [option=value ...] address suite component ...`."""
    pattern = re.compile(
        r"\s*deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*)"
    )
    sources: list[AptSource] = []
    for line in text.splitlines():
        match = pattern.match(line)
        if match is None:
            continue
        pairs = (option.partition("=") for option in (match["options"] or "").split())
        fields = {ONE_LINE_NAMES.get(key, key).lower(): value.replace(",", " ") for key, _, value in pairs}
        components = tuple(match["rest"].split())
        sources.append(AptSource(match["uri"], match["suite"], components, _inherited(fields), path))
    return sources


def read(folder: Path = APT) -> list[AptSource]:
    """Every enabled binary source of this machine, in apt's own order of files."""
    sources: list[AptSource] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in (".list", ".sources"):
            parse = parse_deb822 if path.suffix == ".sources" else parse_one_line
            sources += parse(path.read_text(encoding="utf-8", errors="replace"), str(path))
    return sources


def debian_archive(sources: Sequence[AptSource], codename: str) -> AptSource | None:
    """The source that is Debian's own main archive: what other suites can be had from as well.

    Other people's repositories use Debian's names of suites and even "main", so a name proves nothing:
    at least one sign must say that this is the archive, and the source with the most signs wins. `codename`
    is the machine's own suite if it is a Debian, so that a release younger than this list is known as well.
    """
    best: AptSource | None = None
    best_signs = (0, False)
    for source in sources:
        if "main" not in source.components or source.suite not in (*SUITES, *ALIASES, codename):
            continue
        if source.uri.startswith("cdrom:"):
            continue
        signs = (_signs(source, sources), source.suite == codename)
        if signs[0] and signs > best_signs:
            best, best_signs = source, signs
    return best


def _signs(source: AptSource, sources: Sequence[AptSource]) -> int:
    """How many things say that this is Debian's archive: its key, its path, and the -updates beside it."""
    siblings = {other.suite for other in sources if other.uri.rstrip("/") == source.uri.rstrip("/")}
    return sum(
        (
            "debian-archive-" in dict(source.options).get("Signed-By", ""),
            ARCHIVE_PATH.search(source.uri) is not None,
            f"{source.suite}-updates" in siblings,
        )
    )


def _stanzas(text: str) -> list[dict[str, str]]:
    """The fields of each stanza, keys in lower case; a key block inside Signed-By keeps its lines."""
    stanzas: list[dict[str, str]] = [{}]
    key = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            stanzas.append({})
            key = ""
        elif line[0] in " \t":
            if key:
                stanzas[-1][key] += "\n" + line.rstrip()
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip().lower()
            stanzas[-1][key] = value.strip()
    return [stanza for stanza in stanzas if stanza]


def _inherited(fields: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, fields[name.lower()]) for name in INHERITED if fields.get(name.lower(), "").strip())
