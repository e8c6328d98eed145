"""Grype: ``grype docker:IMAGE --output json``, the program on PATH.

The report: ``grype/presenter/models`` of anchore/grype. The database: ``grype db update``, ``db status``
(https://oss.anchore.com/docs/guides/vulnerability/database/); Grype itself refuses one older than five days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homeport.engine.scanner import (
    Programs,
    Ready,
    Report,
    ScannerProblem,
    document,
    entries,
    garbled,
    needed,
    program,
    text,
)
from homeport.model.vulnerability import Weakness, level

_ENV = {"GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false"}
_NO_DATABASE = (
    "Grype fetches its database from grype.anchore.io; GRYPE_DB_UPDATE_URL names another place. "
    "--no-update takes the one that is there."
)


@dataclass(frozen=True)
class Grype:
    """Grype as a scanner; ``program`` is its path."""

    programs: Programs
    program: str

    @property
    def shown(self) -> str:
        return f"grype ({self.program})"

    def prepare(self, update: bool) -> Ready:
        if update:
            done = self.programs.run([self.program, "db", "update"], _ENV)
            if done.code != 0:
                raise failed_update(done.stderr)
        doing = "grype can't say its version."
        version = document(self.programs.run([self.program, "version", "--output", "json"], _ENV), doing)
        status = self.programs.run([self.program, "db", "status", "--output", "json"], _ENV)
        doing = "grype has no database that it can use."
        return parse_status(version, document(status, doing, _NO_DATABASE))

    def scan(self, image: str, name: str) -> Report:
        done = self.programs.run([self.program, *scan_words(image)], _ENV)
        return parse(document(done, f"grype can't scan {name}."), name)


def find(programs: Programs) -> Grype:
    """The program on PATH. Raises ScannerProblem if it isn't there."""
    path = program("grype")
    if not path:
        raise ScannerProblem(
            "The scanner grype was not found.",
            cause="It is not installed, or not on PATH.",
            hint="Install it (https://oss.anchore.com/docs/installation/grype/), or use --scanner trivy.",
        )
    return Grype(programs, path)


def scan_words(image: str) -> tuple[str, ...]:
    """The words of a scan; ``docker:`` says that the image is the engine's."""
    return ("--output", "json", "--only-fixed=false", "--", f"docker:{image}")


def failed_update(stderr: str) -> ScannerProblem:
    """The error for a database that can't be fetched."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    return ScannerProblem(
        "grype can't bring its database up to date.",
        cause=lines[-1].strip() if lines else "It says nothing.",
        hint=_NO_DATABASE,
        detail="\n".join(lines[-20:-1]),
    )


def parse_status(version: Mapping[str, Any], status: Mapping[str, Any]) -> Ready:
    """What ``version`` and ``db status`` say. Raises ScannerProblem where there is no valid database."""
    try:
        number = needed(version, "version")
        if status.get("error") or status.get("valid") is False:
            raise ScannerProblem(
                "grype has no database that it can use.",
                cause=str(status.get("error") or "It says that its database isn't valid."),
                hint=_NO_DATABASE,
            )
        built = needed(status, "built")
        return Ready("grype", number, f"{status['schemaVersion']}, {built}", built, 0)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        doing = "grype can't say which database it has."
        raise garbled(doing, f"Its answer isn't in the documented form: {error}.") from error


def parse(said: Mapping[str, Any], name: str) -> Report:
    """What a report says. Raises ScannerProblem for any other document."""
    doing = f"grype can't scan {name}."
    if not isinstance(said.get("matches"), list) or "descriptor" not in said:
        raise garbled(doing, "It prints JSON, but no report with matches.")
    try:
        return Report(tuple(dict.fromkeys(_weaknesses(said["matches"]))))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise garbled(doing, f"Its report isn't in the documented form: {error}.") from error


def _weaknesses(matches: list[Any]) -> Iterator[Weakness]:
    for match in matches:
        flaw, package = match["vulnerability"], match["artifact"]
        fix = flaw.get("fix") or {}
        locations = entries(package, "locations") or [{}]
        yield Weakness(
            id=needed(flaw, "id"),
            level=level(text(flaw, "severity")),
            package=needed(package, "name"),
            version=text(package, "version") or "unknown",
            fixed=", ".join(map(str, entries(fix, "versions"))) if fix.get("state") == "fixed" else "",
            title=text(flaw, "description"),
            url=text(flaw, "dataSource"),
            path=text(locations[0], "path"),
        )
