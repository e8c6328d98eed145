"""A program that stands in for trivy or grype: it prints what their documentation shows, and can misbehave.

No test here has a vulnerability database: those come from the network. So what is tested with it is the
contract (command line, variables, documented JSON, exit codes), and not what the real programs find.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """\
#!{python}
import json, os, sys, time
from pathlib import Path

folder = Path({folder!r})
answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
words = sys.argv[1:]
image = next((word for word in words if "sha256:" in word), "")
kind = next((key for key in answers if key in " ".join(words)), "image") if not image else "image"
if image and "cyclonedx" in words:
    kind = "cyclonedx"
variables = {{key: value for key, value in os.environ.items() if key.startswith(("TRIVY_", "GRYPE_"))}}
started = time.time()
answer = answers.get(kind, {{}})
time.sleep(answer.get("sleep", 0))
sys.stdout.write(answer.get("stdout", "").replace("IMAGE", image.removeprefix("docker:")))
sys.stderr.write(answer.get("stderr", ""))
call = {{"words": words, "variables": variables, "started": started, "ended": time.time()}}
call["cwd"] = os.listdir(".")
(folder / f"call-{{started:.6f}}-{{os.getpid()}}.json").write_text(json.dumps(call), encoding="utf-8")
sys.exit(answer.get("code", 0))
"""

FLAW = {
    "VulnerabilityID": "CVE-2026-0001",
    "PkgID": "libssl3@3.0.1-1",
    "PkgName": "libssl3",
    "PkgIdentifier": {"PURL": "pkg:deb/debian/libssl3@3.0.1-1?arch=amd64"},
    "InstalledVersion": "3.0.1-1",
    "FixedVersion": "3.0.2-1",
    "Status": "fixed",
    "SeveritySource": "debian",
    "PrimaryURL": "https://avd.aquasec.com/nvd/cve-2026-0001",
    "Title": "openssl: made up for a test",
    "Severity": "CRITICAL",
}
UNFIXED = {
    **FLAW,
    "VulnerabilityID": "CVE-2026-0002",
    "PkgName": "zlib1g",
    "InstalledVersion": "1.3-1",
    "FixedVersion": "",
    "Status": "affected",
    "Title": "zlib: made up, too",
    "Severity": "HIGH",
}
MINOR = {**FLAW, "VulnerabilityID": "CVE-2026-0003", "Severity": "LOW", "Title": "openssl: hardly worth it"}
LEAK = {
    "RuleID": "aws-access-key-id",
    "Category": "AWS",
    "Severity": "CRITICAL",
    "Title": "AWS Access Key ID",
    "StartLine": 3,
    "EndLine": 3,
    "Code": {"Lines": [{"Number": 3, "Content": "export AWS_ACCESS_KEY_ID=AKIAVERYSECRET"}]},
    "Match": "export AWS_ACCESS_KEY_ID=AKIAVERYSECRET",
}


def trivy_report(*flaws: dict[str, Any], leaks: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """A report of schema version 2, shortened: aquasecurity/trivy, ``pkg/types/report.go``."""
    results: list[dict[str, Any]] = [
        {"Target": "IMAGE (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": list(flaws)}
    ]
    results += [{"Target": "/app/deploy.sh", "Class": "secret", "Secrets": list(leaks)}] if leaks else []
    return {
        "SchemaVersion": 2,
        "CreatedAt": "2026-11-30T06:00:00.000000005Z",
        "ArtifactName": "IMAGE",
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "ImageID": "sha256:c0ffee"},
        "Results": results,
    }


def trivy_version(updated: str = "2026-11-29T06:11:53.123Z", version: str = "0.69.3") -> dict[str, Any]:
    """What ``trivy version --format json`` prints: ``pkg/version/version.go``."""
    return {
        "Version": version,
        "VulnerabilityDB": {
            "Version": 2,
            "NextUpdate": "2026-11-30T06:11:53Z",
            "UpdatedAt": updated,
            "DownloadedAt": "2026-11-29T08:00:00Z",
        },
    }


def grype_match(id_: str = "CVE-2026-0001", severity: str = "Critical", **fix: Any) -> dict[str, Any]:
    """A match of anchore/grype, ``grype/presenter/models/match.go``."""
    return {
        "vulnerability": {
            "id": id_,
            "dataSource": f"https://security-tracker.debian.org/tracker/{id_}",
            "namespace": "debian:distro:debian:12",
            "severity": severity,
            "description": "openssl: made up for a test",
            "fix": fix or {"versions": ["3.0.2-1"], "state": "fixed"},
        },
        "relatedVulnerabilities": [],
        "matchDetails": [{"type": "exact-direct-match", "matcher": "dpkg-matcher"}],
        "artifact": {
            "name": "libssl3",
            "version": "3.0.1-1",
            "type": "deb",
            "locations": [{"path": "/var/lib/dpkg/status"}],
        },
    }


def grype_report(*matches: dict[str, Any]) -> dict[str, Any]:
    """A report, shortened: ``grype/presenter/models/document.go``."""
    return {
        "matches": list(matches),
        "source": {"type": "image", "target": {"userInput": "docker:IMAGE", "imageID": "sha256:c0ffee"}},
        "distro": {"name": "debian", "version": "12", "idLike": []},
        "descriptor": {"name": "grype", "version": "0.104.0"},
    }


GRYPE_VERSION = {"application": "grype", "version": "0.104.0", "supportedDbSchema": 6}
GRYPE_STATUS = {
    "schemaVersion": "v6.1.9",
    "from": "https://grype.anchore.io/databases/v6/vulnerability-db_v6.1.9.tar.zst",
    "built": "2026-11-29T06:31:53Z",
    "path": "/root/.cache/grype/db/6/vulnerability.db",
    "valid": True,
}


class StandIn:
    """One program in a folder for PATH; what it says to which words can be changed at any time."""

    def __init__(self, folder: Path, name: str, answers: dict[str, Any]) -> None:
        self.folder, self.name = folder / f"{name}-says", name
        self.bin = folder / "bin"
        for path in (self.folder, self.bin):
            path.mkdir(parents=True, exist_ok=True)
        program = self.bin / name
        program.write_text(
            _PROGRAM.format(python=sys.executable, folder=str(self.folder)), encoding="utf-8", newline="\n"
        )
        program.chmod(0o755)
        self.answers = answers
        self.say()

    def say(self, **changes: Any) -> None:
        """Change answers: by kind a text or a document, or a dictionary of stdout, stderr, code, sleep."""
        self.answers |= changes
        written = {key: _answer(value) for key, value in self.answers.items()}
        (self.folder / "answers.json").write_text(json.dumps(written), encoding="utf-8")

    @property
    def calls(self) -> list[dict[str, Any]]:
        """How it was called, the first first."""
        files = sorted(self.folder.glob("call-*.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def forget(self) -> None:
        for file in self.folder.glob("call-*.json"):
            file.unlink()


def trivy(folder: Path, *flaws: dict[str, Any], **answers: Any) -> StandIn:
    """A trivy that finds these flaws in every image."""
    said = {"version": trivy_version(), "download-db-only": "", "image": trivy_report(*flaws)}
    return StandIn(folder, "trivy", {**said, **answers})


def grype(folder: Path, *matches: dict[str, Any], **answers: Any) -> StandIn:
    """A grype that finds these matches in every image."""
    said = {
        "db update": "Vulnerability database updated",
        "db status": GRYPE_STATUS,
        "version": GRYPE_VERSION,
        "image": grype_report(*matches),
    }
    return StandIn(folder, "grype", {**said, **answers})


def _answer(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and set(value) <= {"stdout", "stderr", "code", "sleep"} and value:
        return value
    return {"stdout": value if isinstance(value, str) else json.dumps(value)}
