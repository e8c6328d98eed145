from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from homeport.errors import UsageError
from homeport.model.config import Config, ScanIgnore, parse_config
from homeport.model.tiers import Tier


def test_nothing_is_needed() -> None:
    assert parse_config({}, "x") == Config()
    assert Config().build.main_branch == "main"


def test_values() -> None:
    config = parse_config({"build": {"jobs": 3, "main-branch": "master", "files": ["a.hcl"]}}, "x")
    assert (config.build.jobs, config.build.main_branch, config.build.files) == (3, "master", ("a.hcl",))


def test_exceptions_of_a_scan() -> None:
    document = {"scan": {"fixable-only": True, "ignore": {"zlib": {"id": "CVE-1", "packages": ["z*"]}}}}
    config = parse_config(document, "x").scan
    assert config.fixable_only
    assert config.ignore == {"zlib": ScanIgnore(id="CVE-1", packages=("z*",))}


@pytest.mark.parametrize("until", ["2027-03-31", date(2027, 3, 31)])
def test_a_last_day_may_be_a_date_of_toml(until: object) -> None:
    document = {"scan": {"ignore": {"x": {"until": until}}}, "audit": {"suppress": {"x": {"until": until}}}}
    config = parse_config(document, "x")
    assert {config.scan.ignore["x"].until, config.audit.suppress["x"].until} == {"2027-03-31"}


def test_tiers() -> None:
    config = parse_config({"resources": {"tiers": {"mine": {"cpus": 2, "reserved-cpus": 0.5}}}}, "x")
    assert config.resources.tiers == {"mine": Tier(cpus=2.0, reserved_cpus=0.5)}
    assert parse_config({"resources": {"services": {"a": "api"}}}, "x").resources.services == {"a": "api"}


@pytest.mark.parametrize(
    ("document", "said", "cause"),
    [
        ({"biuld": {}}, "no setting 'biuld'", "'build'"),
        ({"build": {"job": 1}}, "no setting 'build.job'", "'jobs'"),
        ({"build": 1}, "must be a table", ""),
        ({"build": {"jobs": "3"}}, "whole number", ""),
        ({"build": {"jobs": True}}, "whole number", ""),
        ({"build": {"jobs": -1}}, "whole number", ""),
        ({"build": {"files": "a"}}, "list of texts", ""),
        ({"build": {"builder": 1}}, "must be text", ""),
        ({"build": {"registry": "https://x"}}, "no registry", "no https"),
        ({"resources": {"tiers": []}}, "must be a table, [resources.tiers]", ""),
        ({"resources": {"tiers": {"api": 1}}}, "must be a table, [resources.tiers.api]", ""),
        ({"resources": {"tiers": {"api": {"cpu": 1}}}}, "no setting 'resources.tiers.api.cpu'", "'cpus'"),
        ({"resources": {"tiers": {"api": {"cpus": "1"}}}}, "must be a number of 0 or more", ""),
        ({"resources": {"tiers": {"api": {"cpus": True}}}}, "must be a number of 0 or more", ""),
        ({"resources": {"tiers": {"api": {"cpus": float("inf")}}}}, "must be a number of 0 or more", ""),
        ({"resources": {"tiers": {"api": {"ports": [80]}}}}, "list of texts", ""),
        ({"resources": {"services": {"a": 1}}}, "must be text", ""),
        ({"scan": {"fixable-only": 1}}, "must be true or false", ""),
        ({"scan": {"severty": "high"}}, "no setting 'scan.severty'", "'severity'"),
        ({"scan": {"ignore": {"x": {"until": datetime(2027, 3, 31)}}}}, "must be a date such as", ""),
        (
            {"scan": {"ignore": {"x": {"until": 20270331}}}},
            "must be a date such as 2027-03-31, not 20270331",
            "",
        ),
        ({"scan": {"ignore": {"x": {"reason": date(2027, 3, 31)}}}}, "must be text", ""),
        ({"scan": {"ignore": {"id": "CVE-1"}}}, "'scan.ignore.id' stands in no entry", "a name of its own"),
        ({"scan": {"ignore": {"x": {"untill": "2027-01-01"}}}}, "'scan.ignore.x.untill'", "'until'"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], said: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(document, "homeport.toml")
    assert caught.value.what.startswith("homeport.toml")
    assert said in caught.value.what
    assert cause in caught.value.cause
