"""The page of a deploy, and the files that are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given

from deploy_samples import events, passed, probed, release, undone
from homeport.deploy.page import page, write
from homeport.deploy.work import Event
from homeport.errors import UsageError
from homeport.report.markup import plain
from html_reader import Reader
from report_samples import HOSTILE, TEXTS

PASSED = release(db="stop-first", api="start-first", web="start-first", idle="unchanged")
FAILURE = "bad doesn't pass its gate: its health check fails.\n\nbad: <Traceback>\nbad: KeyError\n"


def figures(text: str) -> dict[str, str]:
    found = Reader(text)
    return dict(zip(found.words["dt"], found.words["dd"], strict=True))


def test_the_figures() -> None:
    assert figures(page(PASSED, passed(), probed(failing=(2.0, 3.0)))) == {
        "services changed": "3",
        "until it served": "8.0 s",
        "requests sent": "160",
        "requests failed": "20",
        "longest wait of callers": "3.2 s",
        "longest time without service": "at most 0.7 s",
    }
    assert set(figures(page(release(api="start-first"), []))) == {"service changed", "until it served"}


def test_what_became_of_each_service() -> None:
    found = Reader(page(PASSED, passed())).words["td"]
    assert found[:8] == ["db", "stop-firstnew image", "db-r1", "db-r2", "2.0 s", "", "3.2 s", ""]
    assert found[8:16] == ["api", "start-firstnew image", "api-r1", "api-r2", "2.0 s", "0.4 s", "", ""]
    assert found[16:24] == ["web", "start-firstnew image", "web-r1", "web-r2", "1.0 s", "", "", "0.7 s"]
    assert "idle" not in found


def test_without_a_plan_the_events_say_what_they_can() -> None:
    document = {**PASSED}
    del document["services"]
    found = Reader(page(document, passed())).words["td"]
    assert found[:4] == ["db", "changed", "db-r1", "db-r2"]


def test_every_event_is_listed_and_sorts_by_its_time() -> None:
    text = page(PASSED, passed())
    assert Reader(text).count("tr") == 1 + 3 + 1 + len(passed())
    assert '<td class="figure" data-sort="2.8">2.8 s</td><td class="name">web</td><td>front</td>' in text


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        ("passed", "shop: r12 deployed"),
        ("undone", "shop: r12 undone: everything runs as before"),
        ("broken", "shop: r12 failed, and was not undone"),
    ],
)
def test_the_title_tells_the_outcome(outcome: str, title: str) -> None:
    assert Reader(page(release(outcome, api="start-first"), [])).words["title"][0] == title


def test_a_failure_is_there_in_full() -> None:
    found = Reader(page(release("undone", api="start-first", bad="start-first"), undone(), failure=FAILURE))
    assert found.words["pre"] == [f"\n{FAILURE}"]
    assert "start-firstnew imageits health check failsbad-r1 serves" in found.words["td"]


def test_services_that_were_left_as_they_were_are_named() -> None:
    error = UsageError("bad fails.", cause="it is bad", hint="Mend it.", detail="bad: <log>")
    document = {**release(api="start-first"), "failed": {"bad": error.as_dict()}}
    found = Reader(page(document, undone()))
    assert found.words["title"][0] == "shop: r12 deployed, but without bad"
    assert found.words["pre"] == ["\nbad: <log>\nerror: bad fails.\ncause: it is bad\n next: Mend it."]


def test_failed_requests_are_told_by_what_went_wrong() -> None:
    assert Reader(page(PASSED, passed(), probed(failing=(2.0, 3.0)))).words["td"][:4] == [
        "HTTP 503", "20", "2.0 s", "3.0 s"
    ]  # fmt: skip
    assert "Requests" not in Reader(page(PASSED, passed(), probed())).words["h2"]


def test_nothing_comes_from_elsewhere() -> None:
    text = page(PASSED, passed(), probed(), FAILURE)
    for tag, attributes in Reader(text).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "form", "base", "a"}
        assert not {"src", "href", "style"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes)
    assert "default-src 'none'" in text
    assert set(re.findall(r"url\(.", text)) == {"url(#"}


def test_ids_are_there_once() -> None:
    ids = [attributes["id"] for _, attributes in Reader(page(PASSED, passed())).tags if "id" in attributes]
    assert len(ids) == len(set(ids)) == 2


@given(TEXTS)
def test_any_text_gives_a_whole_page(text: str) -> None:
    document = release("undone", **{text: text})
    document["release"] |= {"stack": text, "message": text, "who": text, "revision": text}
    found = Reader(page(document, [Event(1.0, text, "start", text)], failure=text))
    assert found.count("script") == 1
    assert found.words["td"][0] == plain(text)


def test_markup_in_texts_stays_text() -> None:
    text = page(
        release(**{HOSTILE: "start-first"}), events((HOSTILE, ((1.0, HOSTILE, HOSTILE),))), failure=HOSTILE
    )
    assert Reader(text).count("b") == 0


def test_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    assert write(folder, PASSED, passed(), probed(failing=(2.0, 2.1)), FAILURE) == folder / "deploy.html"
    assert sorted(file.name for file in folder.iterdir()) == ["deploy.html", "deploy.json", "deploy.svg"]
    ElementTree.fromstring((folder / "deploy.svg").read_text("utf-8"))  # noqa: S314 - our own text
    document = json.loads((folder / "deploy.json").read_text("utf-8"))
    assert document["failure"] == FAILURE
    assert document["probe"] == {
        "url": "http://localhost:8080/health",
        "requests": 160,
        "failed": 2,
        "not_sent": 0,
        "slowest": 0.05,
        "errors": {"HTTP 503": 2},
    }


def test_a_folder_that_is_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="can't be written"):
        write(tmp_path / "taken", PASSED, [])


def test_a_page_of_many_services_stays_small() -> None:
    names = [f"service-{number:03}" for number in range(300)]
    many = events(*((name, ((1.0, "start", name), (2.0, "passed", ""))) for name in names))
    assert len(page(release(**dict.fromkeys(names, "new")), many)) < 700_000
