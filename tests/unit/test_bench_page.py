"""The page and the tables: complete, safe, and readable without the pictures."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

from rich.console import Console

from bench_samples import ENVIRONMENT, facts, figure, figures
from homeport.bench import page, picture, show
from homeport.bench.figures import Change, State, compare, judge
from homeport.bench.plan import make
from homeport.bench.scenarios import MEASURES, SCENARIOS, expectations
from homeport.model.config import EXPECTED
from html_reader import Reader

OWN = figures(
    figure("sequential", 30.0, 31.0, 33.0),
    figure("parallel", 10.0, 11.0, 12.0),
    figure("one-changed", 2.0, 2.1, 2.2),
    figure("fresh", state=State.FAILED, reason="round 1: <script>alert(1)</script>"),
    figure("context-without", 5_000_000.0),
    figure("context-with", 1_000_000.0),
    figure("deploy-plain-lost", 100, 120, 90),
    figure("deploy-zero-lost", 0, 0, 0),
    figure("rollback", reason="there is no Compose file"),
)
JUDGED = judge(OWN, expectations(EXPECTED))
COMPARED = compare({"parallel": (5.0, 5.1, 5.2)}, OWN, 10.0)


def html(**more: object) -> str:
    return page.html(
        "shop", 0.0, OWN, JUDGED, COMPARED, ("cores was 2 then",), ENVIRONMENT,
        **{"against": "old.json", "interrupted": False, **more},  # type: ignore[arg-type]
    )  # fmt: skip


def test_everything_is_on_the_page() -> None:
    text = html()
    for one in OWN.values():
        assert one.measure.what in text or one.measure.what.replace("'", "&#x27;") in text
    for word in ("31.0 s", "30.0 s to 33.0 s", "65 % less", "kept", "slower", "cores was 2 then", "28.5.2",
                 "not measured", "there is no Compose file", "5.0 MB"):  # fmt: skip
        assert word in text, word
    assert "bench: 1 scenario failed" in text


def test_it_is_well_formed() -> None:
    found = Reader(html())
    assert found.words["h2"][:2] == ["Promised and measured", "Promises"]
    # Who sees no picture hears what is in it.
    assert all(dict(attributes).get("aria-label") for tag, attributes in found.tags if tag == "svg")


def test_nothing_on_it_runs_or_is_fetched() -> None:
    text = html()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_an_interrupted_run_says_so() -> None:
    assert "bench interrupted" in html(interrupted=True)


def test_pictures_are_well_formed_and_say_what_they_show() -> None:
    seconds = [one for one in OWN.values() if one.measure.unit == "s"]
    for drawn in (picture.bars(seconds, "Times <b>"), picture.promises(JUDGED, "Promises")):
        tree = ET.fromstring(drawn)  # noqa: S314 - our own
        assert tree.get("role") == "img"
        assert tree.get("aria-label")
        width = float(str(tree.get("width")))
        for rect in tree.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(str(rect.get("x"))) >= 0
            assert float(str(rect.get("x"))) + float(str(rect.get("width"))) <= width
    # A line from the lowest to the highest for each that has more than one value.
    tree = ET.fromstring(picture.bars(seconds, "x"))  # noqa: S314 - our own
    assert sum(line.get("class") == "spread" for line in tree.iter("{http://www.w3.org/2000/svg}line")) == 3


def test_pictures_of_little() -> None:
    only_zero = [figure("deploy-zero-lost", 0.0)]
    ET.fromstring(picture.bars(only_zero, "x"))  # noqa: S314 - our own
    ET.fromstring(picture.bars([figure("fresh", reason="no")], "x"))  # noqa: S314 - our own
    slower = judge(figures(figure("sequential", 1.0), figure("parallel", 9.0)), {"parallel": (30.0, 50.0)})
    ET.fromstring(picture.promises(slower, "x"))  # noqa: S314 - our own


def shown(*calls: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    for call in calls:
        call(console)  # type: ignore[operator]
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_tables() -> None:
    text = shown(
        lambda console: show.figures(OWN, console),
        lambda console: show.promises(JUDGED, console),
        lambda console: show.comparison(COMPARED, ("cores differ",), "old.json", console),
    )
    assert "failed: round 1: <script>" in text
    assert "50 to 70 % less" in text
    assert "+116 %" in text
    assert "cores differ" in text
    assert "5.0 MB" in text


def test_the_plan() -> None:
    plan = make(facts(project=None), tuple(SCENARIOS), 2, ())
    text = shown(lambda console: show.plan(plan, {}, console))
    assert all(name in text for name in SCENARIOS)
    assert "not measured: rollback: there is no Compose file" in text
    assert "--against FILE" in text
    assert "Nothing was touched." in text
    known = shown(lambda console: show.plan(plan, {"sequential": 30.0}, console))
    assert "it takes 1 min 00 s" in known
    assert "parallel" in known.rpartition("the time of")[2]


def test_the_document_has_every_figure_and_why_it_is_missing() -> None:
    found = show.document(OWN, JUDGED, COMPARED, (), {"environment": ENVIRONMENT})
    by_key = {one["key"]: one for one in found["figures"]}
    assert {*by_key} == {*OWN}
    assert by_key["parallel"]["median"] == 11.0
    assert by_key["fresh"]["median"] is None
    assert "<script>" in by_key["fresh"]["reason"]
    assert found["ok"] is False
    changes = {one["key"]: one["change"] for one in found["compared"]}
    assert changes["parallel"] == Change.SLOWER.value
    assert {*changes} <= {*MEASURES}


def test_bytes_get_more_and_times_slower() -> None:
    assert (show.word(Change.SLOWER, "s"), show.word(Change.SLOWER, "B")) == ("slower", "more")
    assert show.word(Change.FASTER, "requests") == "less"
    assert show.word(Change.SAME, "B") == "within noise"
