from __future__ import annotations

import html
from xml.etree import ElementTree

import pytest
from hypothesis import given

from homeport.report.markup import element, escape, fit, number, palette, plain, text_width
from report_samples import TEXTS


@given(TEXTS)
def test_any_text_is_content_and_attribute_of_xml(text: str) -> None:
    root = ElementTree.fromstring(element("a", {"b": text}, escape(text)))  # noqa: S314 - our own text
    assert (root.text or "") == plain(text)
    # A parser makes spaces of an attribute's tabs and line feeds.
    assert root.get("b") == plain(text).replace("\t", " ").replace("\n", " ")


@given(TEXTS)
def test_escaping_keeps_what_can_be_kept(text: str) -> None:
    assert html.unescape(escape(text)) == plain(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x07", "link"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00, lone \ud800, end \uffff", "nul\ufffd, lone \ufffd, end \ufffd"),
        ("ümlaut 日本 🐳\ttab", "ümlaut 日本 🐳\ttab"),
    ],
)
def test_plain_text(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(("value", "expected"), [(3.0, "3"), (0.5, "0.5"), (12.254, "12.25"), (100.0, "100")])
def test_numbers_are_short(value: float, expected: str) -> None:
    assert number(value) == expected


def test_an_element_without_content_has_an_end_tag() -> None:
    assert element("td", {"x": 1.0}) == '<td x="1"></td>'


def test_the_palette_has_the_same_colours_for_both_schemes() -> None:
    light, dark = palette(":root").split("@media")
    assert {part.split(":")[0] for part in light[6:-3].split(";")} == {
        part.split(":")[0] for part in dark[dark.index(":root{") + 6 : -4].split(";")
    }


@given(TEXTS)
def test_what_is_fitted_fits(text: str) -> None:
    assert text_width(fit(text, 90, 12), 12) <= 90


def test_what_fits_stays_whole() -> None:
    assert fit("short", 90, 12) == "short"
    assert fit("a name that is much too long", 90, 12).endswith("…")
