"""What ``stats`` shows and writes: the table, lines below it, JSON, the page."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from homeport.engine.limits import Held
from homeport.stats import advice, page, picture, show
from homeport.stats.measure import Seen, ServiceUse, services
from html_reader import Reader
from report_samples import HOSTILE
from stats_samples import EPOCH, MIB, member, seen, steady, used

LIMITED = Held(0.5, 64 * MIB)


def rows(found: list[ServiceUse], *, direct: bool = True, width: int = 140) -> list[list[str]]:
    """The table's lines, each split into its cells."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(show.table(found, direct, width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [[part for part in line.split("  ") if part.strip()] for line in text.splitlines()]


def cells(one: ServiceUse, **more: Any) -> list[str]:
    return [part.strip() for part in rows([one], **more)[1]]


def test_a_service_and_its_limits() -> None:
    one = used(member(held=LIMITED), steady(4, 0.25, memory=20 * MIB, throttled=0.5, network=1000))
    assert cells(one) == [
        "api", "0.25", "0.25", "0.5", "50 %", "20.0 MiB", "64.0 MiB", "3.0 kB", "6.0 kB", "0",
    ]  # fmt: skip


def test_without_limits() -> None:
    one = used(member(), steady(4, 0.25))
    assert cells(one) == ["api", "0.25", "0.25", "no limit", "10.0 MiB", "no limit", "0 B", "0 B", "0"]


def test_what_is_not_known_is_a_dash() -> None:
    assert cells(used(member(held=LIMITED), [])) == [
        "api",
        "-",
        "-",
        "0.5",
        "-",
        "-",
        "64.0 MiB",
        "-",
        "-",
        "0",
    ]
    # The docker command doesn't say how often it was stopped.
    one = used(member(held=LIMITED), steady(4, 0.25))
    assert cells(one)[4] == "0 %"
    assert cells(one, direct=False)[4] == "-"


def test_a_little_throttling_is_not_none() -> None:
    assert cells(used(member(held=LIMITED), steady(1001, 0.1, throttled=0.0005)))[4] == "1 %"


def test_replicas_are_one_row() -> None:
    parts = [(member(name=name, held=LIMITED), steady(3, 0.1)) for name in "ab"]
    assert cells(services(seen(parts))[0])[:4] == ["api x2", "0.20", "0.20", "2x 0.5"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"states": {"shop-api-1": "exited"}}, "exited"),
        ({"states": {"shop-api-1": "removed"}}, "removed"),
        ({"states": {"shop-api-1": "paused"}}, "paused"),
        ({"paused": {"shop-api-1": 2}}, "paused"),
        ({"last": {"shop-api-1": member(killed=True)}}, "killed for memory"),
        ({"kills": {"shop-api-1": 1}}, "killed for memory"),
        ({}, ""),
    ],
)
def test_what_else_happened(more: dict[str, Any], said: str) -> None:
    assert ", ".join(show.notes(used(member(), steady(3, 0.1), **more))) == said


def test_a_narrow_screen_has_what_limits() -> None:
    one = used(member("a-service-of-some-length", held=LIMITED), steady(4, 0.25, throttled=0.5))
    (heads, row) = rows([one], width=80)
    assert [head.strip() for head in heads] == [
        "service", "cores", "cpu limit", "throttled", "memory", "mem limit",
    ]  # fmt: skip
    assert row[-1].strip() == "64.0 MiB"
    again = used(member(held=LIMITED), steady(4, 0.1), last={"shop-api-1": member(restarts=2)})
    assert rows([again], width=80)[1][-1].strip() == "restarted 2x"


def test_one_of_two_that_ended() -> None:
    parts = [(member(name=name), steady(3, 0.1)) for name in "ab"]
    (one,) = services(seen(parts, states={"a": "exited", "b": "running"}))
    assert show.notes(one) == ("1 exited",)


def everything(
    **more: Any,
) -> tuple[Seen, tuple[ServiceUse, ...], tuple[advice.Advice, ...], tuple[str, ...]]:
    parts = [
        (member("api", held=LIMITED, name="a"), steady(41, 0.5, throttled=0.6, stopped=0.3)),
        (member("api", front=True, name="f"), steady(41, 0.01)),
        (member("web", name="w"), steady(41, 0.0, memory=MIB)),
    ]
    facts = seen(parts, **more)
    found = services(facts)
    return facts, found, advice.advise(found, advice.Context(host_cores=4.0)), show.remarks(found, facts)


def test_the_document() -> None:
    facts, found, advised, said = everything()
    document = json.loads(json.dumps(show.document("shop", found, advised, said, facts, {"web": 0.5})))
    assert document["schema"] == "homeport.stats/1"
    assert (document["stack"], document["seconds"], document["looks"], document["ok"]) == (
        "shop",
        40.0,
        41,
        False,
    )
    api, front, web = document["services"]
    assert (api["name"], front["front"], web["name"]) == ("api", True, "web")
    assert api["cores"] == 0.5
    (one,) = api["containers"]
    assert (one["cpu_limit"], one["memory_limit"], one["reserved_memory"]) == (0.5, 64 * MIB, None)
    assert (one["throttled"], one["periods"], one["wanted_cores"]) == (0.6, 400, 0.8)
    assert (web["containers"][0]["cpu_limit"], web["reserved_cores"]) == (None, 0.5)
    assert len(api["points"]) == 40
    assert [one["kind"] for one in document["advice"]] == ["throttled"]
    assert document["remarks"] == list(said)


def test_what_is_not_known_is_null() -> None:
    facts = seen([(member(), [])], direct=False)
    (one,) = show.document("shop", services(facts), (), (), facts, {})["services"]
    assert one["cores"] is one["received"] is None
    assert one["containers"][0]["throttled"] is None


def test_remarks_name_what_the_table_can_not_say() -> None:
    _, _, _, said = everything(direct=False, gaps=2)
    assert said == (
        "No limit of cores: 1 service (web). 'homeport resources' plans one for each by its tier.",
        "No limit of memory: 1 service (web). 'homeport resources' plans one for each by its tier.",
        "Throttling isn't known: the docker command doesn't say, and there is no socket to ask.",
        "The engine gave no answer at 2 looks.",
    )


def test_the_last_line() -> None:
    facts, found, advised, _ = everything()
    assert show.last_line(found, advised, facts, "shop") == (
        "2 services of shop watched for 40.0 s, 41 looks: 1 warning."
    )
    assert show.last_line(found, (), facts, "shop").endswith(": nothing to change.")


def test_where_nobody_looks_nothing_is_drawn_before_the_end() -> None:
    console = Console(file=io.StringIO(), width=140)
    with show.Watching(console, 30) as watching:
        watching.show(everything()[0])
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_on_a_terminal_the_table_is_live() -> None:
    console = Console(file=io.StringIO(), width=140, force_terminal=True, no_color=True)
    with show.Watching(console, 30) as watching:
        watching.show(everything()[0])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "40.0 s of 30.0 s, Ctrl-C ends it" in text
    assert "api (front)" in text


def test_a_live_table_that_is_too_long_shows_the_busy_ones() -> None:
    parts = [(member(f"s{n:02}", name=f"c{n}"), steady(3, n / 100)) for n in range(60)]
    console = Console(file=io.StringIO(), width=140, height=20, force_terminal=True)
    with show.Watching(console, 30) as watching:
        watching.show(seen(parts))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "s59" in text
    assert "s03" not in text
    assert "(+44 more)" in text


# -- the page ---------------------------------------------------------------------------------------------


def read(found: tuple[ServiceUse, ...], facts: Seen) -> Reader:
    advised = advice.advise(found, advice.Context())
    return Reader(page.page("shop", found, advised, show.remarks(found, facts), facts, EPOCH))


def test_the_page_has_two_charts_for_each_row() -> None:
    facts, found, _, _ = everything()
    made = read(found, facts)
    assert made.count("svg") == 2 * len(found)
    assert made.count("polyline") == 2 * len(found)
    assert "shop: 1 warning" in made.words["title"][0]
    assert any("throttled in 60 % of its periods" in item for item in made.words["li"])


def test_the_page_loads_nothing() -> None:
    facts, found, _, _ = everything()
    made = read(found, facts)
    assert not [name for _, found_ in made.tags for name in found_ if name in ("src", "href")]


@pytest.mark.parametrize("name", [HOSTILE, "]]>", "a" * 3000])
def test_names_of_any_kind_break_no_page(name: str) -> None:
    facts = seen([(member(name, name="x"), steady(3, 0.1))])
    read(services(facts), facts)


def test_a_page_of_nothing() -> None:
    facts = seen([(member(), [])])
    made = read(services(facts), facts)
    assert made.count("svg") == 0


def test_a_limit_far_above_is_not_drawn_and_one_near_is() -> None:
    points = [(0.0, 0.1), (1.0, 0.2)]
    assert "stroke-dasharray" in picture.svg("cores", points, 1.0, 0.5, "")
    assert "stroke-dasharray" not in picture.svg("cores", points, 1.0, 5.0, "")
    assert "stroke-dasharray" not in picture.svg("cores", points, 1.0, 0.0, "")
    assert "polyline" not in picture.svg("cores", points[:1], 1.0, 0.5, "")
    assert "nan" not in picture.svg("cores", [(0.0, 0.0), (1.0, 0.0)], 0.0, 0.5, "")
