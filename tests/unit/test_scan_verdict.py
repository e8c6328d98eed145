"""Which findings count: severity, fixes, exceptions with an end, the baseline."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from homeport.errors import UsageError
from homeport.model.config import ScanIgnore
from homeport.model.vulnerability import Level, Weakness
from homeport.scan import baseline
from homeport.scan.hits import Hit
from homeport.scan.subjects import Subject
from homeport.scan.verdict import Gate, check, judge

TODAY = datetime.date(2026, 11, 30)
API = Subject("sha256:a", "team/api:1", ("api",), "api/Dockerfile")
WEB = Subject("sha256:b", "team/web:1", ("web",), "web/Dockerfile")
FLAW = Weakness("CVE-1", Level.HIGH, "zlib", "1.0", "1.1")
UNFIXED = Weakness("CVE-2", Level.CRITICAL, "zlib", "1.0")
MINOR = Weakness("CVE-3", Level.LOW, "zlib", "1.0", "1.1")
SECRET = Weakness("image-secret", Level.HIGH, "DB_PASSWORD")
HITS = [Hit(MINOR, API), Hit(FLAW, API), Hit(FLAW, WEB), Hit(UNFIXED, WEB), Hit(SECRET, API)]


def ignoring(**changes: Any) -> dict[str, ScanIgnore]:
    return {"old": ScanIgnore(**{"id": "CVE-1", "reason": "not reachable", **changes})}


def test_the_limit() -> None:
    found = judge(HITS, Gate(Level.HIGH), TODAY)
    assert [hit.weakness.id for hit in found.counted] == ["CVE-2", "image-secret", "CVE-1", "CVE-1"]
    assert [hit.weakness.id for hit in found.below] == ["CVE-3"]
    assert judge(HITS, Gate(Level.UNKNOWN), TODAY).below == ()
    assert len(judge(HITS, Gate(Level.CRITICAL), TODAY).counted) == 1


def test_only_what_can_be_fixed() -> None:
    found = judge(HITS, Gate(fixable_only=True), TODAY)
    assert [hit.weakness.id for hit in found.unfixed] == ["CVE-2"]
    assert "image-secret" in {hit.weakness.id for hit in found.counted}


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        ({}, {"team/api:1", "team/web:1"}),
        ({"targets": ("api",)}, {"team/api:1"}),
        ({"targets": ("a*", "w*")}, {"team/api:1", "team/web:1"}),
        ({"packages": ("zl*",)}, {"team/api:1", "team/web:1"}),
        ({"packages": ("openssl",)}, set()),
        ({"until": "2026-11-30"}, {"team/api:1", "team/web:1"}),
    ],
)
def test_an_exception_takes_findings_out_and_keeps_its_reason(
    changes: dict[str, Any], images: set[str]
) -> None:
    found = judge(HITS, Gate(ignore=ignoring(**changes)), TODAY)
    assert {hit.place for hit, _ in found.ignored} == images
    assert {reason for _, reason in found.ignored} <= {"not reachable"}
    assert bool(found.warnings) == (not images)


def test_an_exception_that_has_ended_counts_again_and_is_named() -> None:
    found = judge(HITS, Gate(ignore=ignoring(until="2026-11-29")), TODAY)
    assert found.ignored == ()
    assert sum(hit.weakness.id == "CVE-1" for hit in found.counted) == 2
    assert found.warnings == ("[scan.ignore.old] ended on 2026-11-29: its 2 findings count again (CVE-1).",)
    gone = judge(HITS, Gate(ignore=ignoring(id="CVE-9", until="2026-11-29")), TODAY)
    assert gone.warnings == (
        "[scan.ignore.old] ended on 2026-11-29: it can go, for nothing needs it any more.",
    )


def test_an_ended_exception_does_not_hide_one_that_still_counts() -> None:
    both = {**ignoring(until="2026-11-29"), "new": ScanIgnore(id="CVE-1", reason="looked at again")}
    found = judge(HITS, Gate(ignore=both), TODAY)
    assert {reason for _, reason in found.ignored} == {"looked at again"}


def test_an_unknown_id_is_a_warning_where_everything_was_looked_at() -> None:
    gate = Gate(ignore=ignoring(id="CVE-2026-TYPO"))
    assert judge(HITS, gate, TODAY).warnings == (
        "[scan.ignore.old] ignores nothing: no image and no file has CVE-2026-TYPO.",
    )
    some = Gate(ignore=gate.ignore, whole=False)
    assert judge(HITS, some, TODAY).warnings == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"id": " "}, "needs an 'id'"), ({"reason": ""}, "needs a 'reason'"), ({"until": "soon"}, "is a date")],
)
def test_an_exception_that_is_wrong(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check(ignoring(**changes))
    check(ignoring(until="2027-03-31"))


# -- the baseline -------------------------------------------------------------------------------------------


def known(*hits: Hit) -> baseline.Baseline:
    return baseline.parse(baseline.document(hits), "x")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "image-secrets"}, "no image and no file has image-secrets: did you mean 'image-secret'?"),
        ({"id": "GHSA-x"}, "no image and no file has GHSA-x."),
        ({"targets": ("apii", "wep")}, "CVE-1 is in api, web, and not in 'apii' (did you mean 'api'?), 'wep' "
         "(did you mean 'web'?)."),
        ({"id": "CVE-2", "targets": ("api",)}, "CVE-2 is in web, and not in 'api'."),
        ({"packages": ("zlip",)}, "CVE-1 is in zlib, and not in 'zlip' (did you mean 'zlib'?)."),
        ({"id": "privileged", "targets": ("api",)}, "privileged is in compose.yml:3, which is no target's: "
         "leave 'targets' out."),
    ],
)  # fmt: skip
def test_an_exception_that_meets_nothing_says_why(changes: dict[str, Any], said: str) -> None:
    hits = [*HITS, Hit(Weakness("privileged", Level.HIGH, "db"), None, "compose.yml", 3)]
    gate = Gate(ignore=ignoring(**changes), targets=("api", "web"))
    assert judge(hits, gate, TODAY).warnings == (f"[scan.ignore.old] ignores nothing: {said}",)


def test_what_is_in_the_baseline_does_not_count() -> None:
    found = judge(HITS, Gate(baseline=known(*HITS[:3])), TODAY)
    assert len(found.known) == 3
    assert {hit.weakness.id for hit in found.counted} == {"CVE-2", "image-secret"}


def test_an_image_is_known_by_its_digest_and_by_its_name() -> None:
    before = known(Hit(FLAW, API))
    rebuilt = Subject("sha256:new", "team/api:2", ("api",), "")
    renamed = Subject("sha256:a", "other/name", ("api",), "")
    other = Subject("sha256:new", "team/web:1", ("web",), "")
    assert before.knows(Hit(FLAW, API)) == "sha256:a"
    assert before.knows(Hit(FLAW, rebuilt)) == "sha256:a"
    assert before.knows(Hit(FLAW, renamed)) == "sha256:a"
    assert before.knows(Hit(FLAW, other)) is None


@pytest.mark.parametrize(
    "changed",
    [
        Weakness("CVE-9", Level.HIGH, "zlib", "1.0"),
        Weakness("CVE-1", Level.HIGH, "zlib", "1.2"),
        Weakness("CVE-1", Level.HIGH, "other", "1.0"),
    ],
)
def test_another_id_package_or_version_is_new(changed: Weakness) -> None:
    assert known(Hit(FLAW, API)).knows(Hit(changed, API)) is None


def test_a_finding_of_the_repository_is_known_by_its_file() -> None:
    secret = Hit(SECRET, file="api/Dockerfile", line=3)
    assert known(secret).knows(Hit(SECRET, file="api/Dockerfile", line=9)) == ""
    assert known(secret).knows(Hit(SECRET, file="web/Dockerfile", line=3)) is None


def test_the_file_is_sorted_and_says_each_thing_once(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.write(str(path), [*HITS, *reversed(HITS)])
    document = json.loads(path.read_text(encoding="utf-8"))
    entries = [tuple(entry.values()) for entry in document["findings"]]
    assert entries == sorted(set(entries))
    assert entries[0] == ("docker.io/team/api", "sha256:a", "CVE-1", "zlib", "1.0")
    assert len(entries) == len(HITS)
    assert baseline.read(str(path)) == known(*HITS)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "x"}', '{"schema": "homeport.scan.baseline/1", "findings": [{}]}']
)
def test_another_file_is_no_baseline(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="baseline"):
        baseline.read(str(path))


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        baseline.read(str(tmp_path / "none.json"))


def test_an_ended_exception_of_what_the_baseline_knows_counts_nothing_again() -> None:
    gate = Gate(ignore=ignoring(until="2026-11-29"), baseline=known(Hit(FLAW, API), Hit(FLAW, WEB)))
    found = judge(HITS, gate, TODAY)
    assert len(found.known) == 2
    assert "it can go" in found.warnings[0]
