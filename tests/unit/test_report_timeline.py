from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.result import BuildResult
from homeport.report.chart import tick_label, ticks
from homeport.report.markup import text_width
from homeport.report.timeline import svg
from report_samples import HOSTILE, TEXTS, build, saying, steps, target

NS = "{http://www.w3.org/2000/svg}"


def parsed(result: BuildResult, **options: int) -> ElementTree.Element:
    return ElementTree.fromstring(svg(result, **options))  # noqa: S314 - our own text


def rects(root: ElementTree.Element, css: str) -> list[ElementTree.Element]:
    return [rect for rect in root.iter(f"{NS}rect") if css in (rect.get("class") or "").split()]


def value(found: ElementTree.Element, name: str) -> float:
    return float(found.get(name) or "0")


def rows(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter(f"{NS}g"))


def words(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{NS}text")]


@pytest.mark.parametrize("count", [0, 1, 2, 50, 300])
def test_one_row_for_each_target_in_the_order_they_started(count: int) -> None:
    result = build(count)
    found = rows(parsed(result))
    names = [row.findtext(f"{NS}text") for row in found]
    assert names == [ran.name for ran in sorted(result.targets, key=lambda ran: ran.started)]


def test_an_empty_build_says_so() -> None:
    root = parsed(build(0))
    assert words(root) == ["homeiq: no target was built"]
    assert value(root, "height") < 60


@pytest.mark.parametrize("width", [100, 480, 1100, 3000])
@pytest.mark.parametrize("count", [1, 16, 300])
def test_nothing_leaves_the_picture(count: int, width: int) -> None:
    broken = (5, 6) if count > 1 else ()
    root = parsed(build(count, broken=broken), width=width)
    right, bottom = value(root, "width"), value(root, "height")
    for rect in root.iter(f"{NS}rect"):
        assert value(rect, "x") >= 0
        assert value(rect, "x") + value(rect, "width") <= right + 0.01
        assert value(rect, "y") + value(rect, "height") <= bottom + 0.01
    for text in root.iter(f"{NS}text"):
        wide = text_width(
            text.text or "", value(text, "font-size"), bold="strong" in (text.get("class") or "")
        )
        start = value(text, "x") - (wide / 2 if text.get("text-anchor") == "middle" else 0)
        assert start >= 0
        assert start + wide <= right
        assert value(text, "y") <= bottom


def test_every_duration_is_behind_its_bar() -> None:
    for row in rows(parsed(build(50))):
        bar = rects(row, "bar")[0]
        label = list(row.iter(f"{NS}text"))[-1]
        assert value(label, "x") > value(bar, "x") + value(bar, "width")


def test_outcomes_are_told_in_words_too() -> None:
    root = parsed(build(16, broken=(4, 6)))
    assert len(rects(root, "failed")) > 1
    assert any(text.endswith("s failed, 2 tries") for text in words(root))
    assert any(text.endswith("s cancelled") for text in words(root))
    assert "1 target not started" in words(root)
    assert "1 target unchanged" in words(root)


def test_the_legend_has_only_what_the_picture_shows() -> None:
    assert "failed" not in words(parsed(build(3)))
    plain = build(1)
    assert "cached instruction" not in words(
        parsed(replace(plain, targets=(replace(plain.targets[0], steps=()),)))
    )


def test_a_narrow_legend_takes_more_lines() -> None:
    result = build(16, broken=(4, 6))
    wide, narrow = parsed(result, width=1600), parsed(result, width=480)
    assert value(narrow, "height") > value(wide, "height")


def test_executed_instructions_are_drawn_and_cached_ones_nearly_vanish() -> None:
    row = rows(parsed(build(1)))[0]
    executed = rects(row, "built")
    assert [rect.findtext(f"{NS}title") for rect in executed[1:]] == [
        "0.4 s: [builder 3/5] RUN pip install -r requirements.txt",
        "0.2 s: [web 2/3] RUN npm ci",
        "0.0 s: [builder 4/5] COPY . .",
    ]
    (cached,) = rects(row, "cached")
    assert value(cached, "width") == 1
    assert "WORKDIR /app" in (cached.findtext(f"{NS}title") or "")


def test_instructions_at_the_same_time_are_below_each_other() -> None:
    pip, npm, copy = rects(rows(parsed(build(1)))[0], "built")[1:]
    assert value(pip, "y") != value(npm, "y")
    assert value(copy, "y") in (value(pip, "y"), value(npm, "y"))
    assert value(pip, "height") < 8


def test_a_step_that_began_before_its_target_is_cut_to_it() -> None:
    late = target("late", 5.0, 5.0, steps=steps(0.0, 20.0))
    row = rows(parsed(BuildResult((late,), 0, 10, 1, (("late",),))))[0]
    bar, *inner = rects(row, "built")
    assert inner
    for rect in inner:
        assert value(rect, "x") >= value(bar, "x")
        assert value(rect, "x") + value(rect, "width") <= value(bar, "x") + value(bar, "width") + 0.01


def test_the_critical_path_stands_out() -> None:
    result = build(16)
    root = parsed(result)
    path = result.critical_path()[0]
    strong = [row.findtext(f"{NS}text") for row in rows(root) if rects(row, "critical")]
    assert strong == list(path)
    assert "critical path" in words(root)


def test_one_target_alone_has_no_critical_path() -> None:
    assert not rects(parsed(build(1)), "critical")


def test_batches_are_tinted_only_where_they_follow_each_other() -> None:
    result = build(6)
    assert len(rects(parsed(result), "tint")) == 1
    names = [ran.name for ran in result.targets]
    mixed = replace(result, batches=(tuple(names[::2]), tuple(names[1::2])))
    assert not rects(parsed(mixed), "tint")


def test_a_long_name_is_cut_and_whole_in_the_tooltip() -> None:
    name = "a-service-with-a-name-" * 5
    root = parsed(BuildResult((target(name),), 0, 1, 1, ((name,),)))
    (row,) = rows(root)
    label = row.findtext(f"{NS}text") or ""
    assert label.endswith("…")
    assert (row.findtext(f"{NS}title") or "").startswith(f"{name}: 1.0 s")


@pytest.mark.parametrize("length", range(1, 30))
def test_a_name_that_has_room_is_never_cut(length: int) -> None:
    names = ("m" * length, "n" * length)
    found = words(parsed(BuildResult((target(names[0]), target(names[1], 1.0)), 0, 2, 1, (names,))))
    assert set(names) <= set(found)


def test_rows_get_lower_when_there_are_many() -> None:
    few, many = value(parsed(build(10)), "height"), value(parsed(build(300)), "height")
    assert many < 3600
    assert many / 300 < few / 10


def test_it_is_an_image_with_a_label_and_both_colour_schemes() -> None:
    text = svg(build(3))
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Timeline: homeiq: 3 targets in 4.8 s, 4 jobs"
    assert "prefers-color-scheme:dark" in text


def test_the_same_build_gives_the_same_picture() -> None:
    assert svg(build(16, broken=(4,))) == svg(build(16, broken=(4,)))


def test_no_time_at_all_is_no_fault() -> None:
    root = parsed(BuildResult((target("quick", 0.0, 0.0),), 0, 0.0, 1, (("quick",),)))
    assert value(rects(rows(root)[0], "bar")[0], "width") == 2


@given(TEXTS)
def test_any_text_gives_a_picture(text: str) -> None:
    assert len(rows(parsed(saying(text)))) == 2


def test_markup_in_names_stays_text() -> None:
    root = parsed(saying(HOSTILE))
    assert {found.tag.removeprefix(NS) for found in root.iter()} == {
        "svg", "style", "rect", "text", "line", "g", "title"
    }  # fmt: skip


@given(st.floats(0.001, 1e7), st.integers(2, 20))
def test_ticks_are_few_and_reach_the_end(span: float, most: int) -> None:
    found = ticks(span, most)
    step = found[1] - found[0] if len(found) > 1 else span * 2
    assert found[0] == 0
    assert len(found) <= most + 1
    assert found[-1] <= span + 0.001
    assert found[-1] + step > span - 0.001


@pytest.mark.parametrize(
    ("span", "most", "expected"),
    [
        (9.5, 10, ["0", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s", "7 s", "8 s", "9 s"]),
        (1.0, 5, ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"]),
        (100, 4, ["0", "30 s", "1 min", "1:30 min"]),
        (3600, 4, ["0", "15 min", "30 min", "45 min", "60 min"]),
    ],
)
def test_ticks_are_round(span: float, most: int, expected: list[str]) -> None:
    assert [tick_label(tick) for tick in ticks(span, most)] == expected
