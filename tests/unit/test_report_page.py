from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given

from homeport.model.result import BuildResult
from homeport.report.markup import plain
from homeport.report.page import html
from html_reader import Reader
from report_samples import HOSTILE, TEXTS, build, saying, target


@pytest.mark.parametrize("count", [0, 1, 50, 300])
def test_a_row_for_each_target(count: int) -> None:
    assert Reader(html(build(count))).count("tr") == (count + 1 if count else 0)


@given(TEXTS)
def test_any_text_gives_a_whole_page(text: str) -> None:
    page = Reader(html(saying(text)))
    assert page.count("tr") == 3
    assert page.count("script") == 1
    assert page.count("pre") <= 1
    # The browser drops a <pre>'s first line feed, which the page writes itself.
    assert page.words["p"].count(plain(text)) >= 1


def test_markup_in_texts_stays_text() -> None:
    page = Reader(html(saying(HOSTILE)))
    assert page.count("b") == 0
    assert page.words["td"][0] == plain(HOSTILE)
    assert page.words["pre"] == [f"\n{plain(HOSTILE)}\n\n{plain(HOSTILE)}"]


def test_nothing_comes_from_elsewhere() -> None:
    text = html(build(16, broken=(4,)))
    for tag, attributes in Reader(text).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "form", "base"}
        assert not {"src", "href", "style"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_this_one_script_and_no_other() -> None:
    text = html(build(1))
    policy = next(
        attributes["content"] for tag, attributes in Reader(text).tags if "http-equiv" in attributes
    )
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script
    assert policy
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


@pytest.mark.parametrize(
    ("result", "title"),
    [
        (build(0), "homeiq: nothing to build"),
        (build(3), "homeiq: build succeeded"),
        (build(16, broken=(4,)), "homeiq: build failed (1 target)"),
        (replace(build(3), interrupted=True), "homeiq: build interrupted"),
        (replace(build(3), project=""), "build succeeded"),
    ],
)
def test_the_title_tells_the_outcome(result: BuildResult, title: str) -> None:
    page = Reader(html(result))
    assert page.words["title"][0] == title
    assert page.words["h1"] == [title]


def test_the_figures() -> None:
    page = Reader(html(replace(build(16), cpus=2)))
    figures = dict(zip(page.words["dt"], page.words["dd"], strict=True))
    assert figures == {
        "targets": "16",
        "wall time": "14.4 s",
        "one after the other\xa0*": "27.5 s to 49.2 s",
        "saved at least\xa0*": "13.1 s",
        "jobs at most": "4",
        "steps cached / run": "32 / 48",
        "context sent": "1.5 MB",
        "engine": "28.2.2",
        "buildx": "v0.29.1",
        "builder": "default (docker)",
        "registry": "none",
    }


def test_nothing_saved_is_not_less_than_nothing() -> None:
    result = replace(build(1), seconds=9.0)
    assert "0.0 s" in Reader(html(result)).words["dd"]


def test_a_failure_has_its_place_step_log_and_message() -> None:
    page = Reader(html(build(16, broken=(4,))))
    (failure,) = page.words["section"]
    assert "service-004" in failure
    assert "stage builder, services/api/Dockerfile:12" in failure
    assert "[builder 3/5] RUN pip install" in failure
    assert "ERROR: No matching distribution found" in failure
    assert "exit code: 1" in failure


def test_a_failure_without_facts_is_still_named() -> None:
    bare = replace(build(16, broken=(4,)).targets[4], failure=None, needs=())
    page = Reader(html(BuildResult((bare,), 0, 1, 1, ((bare.name,),))))
    assert page.words["section"] == ["service-004"]


def test_a_row_has_its_parts_and_sorts_by_numbers() -> None:
    page = Reader(html(build(3)))
    assert page.words["td"][9:18] == [
        "service-001", "no image yet", "built", "4.0 s", "2/5", "12.3 kB", "0" * 12,
        "registry.example/service-001:latest", "1",
    ]  # fmt: skip
    keys = [attributes["data-sort"] for tag, attributes in page.tags if "data-sort" in attributes]
    assert keys[3:6] == ["3.95", "2", "12345"]


def test_a_target_that_never_ran_has_no_figures() -> None:
    page = Reader(html(build(16, broken=(4,))))
    assert page.words["td"][-9:] == [
        "service-015",
        "services/app/main.py changed",
        "unbuiltneeds base",
        *[""] * 6,
    ]


def test_warnings_name_their_target() -> None:
    result = replace(
        build(1), warnings=("the registry is down",), targets=(target("a", warnings=("casing",)),)
    )
    assert Reader(html(result)).words["li"] == ["the registry is down", "a: casing"]


def test_no_headings_without_content() -> None:
    page = Reader(html(replace(build(0), facts={})))
    assert "h2" not in page.words
