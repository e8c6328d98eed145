"""Arbitrary text made safe for XML and HTML, and the colours that the picture and the page share."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping

from homeport.report.words import one_line

# Colours and cursor movements of terminals (ECMA-48: CSI, OSC and two-character escapes).
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# Everything outside of XML 1.0's Char (https://www.w3.org/TR/xml/#charsets), and the C1 controls, which XML
# only discourages but HTML calls an error.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Blue, vermilion and grey differ in lightness too, so they stay apart without colour vision and in print.
_LIGHT = {
    "surface": "#ffffff",
    "raised": "#f6f7f9",
    "text": "#1c2024",
    "quiet": "#5b646e",
    "line": "#e3e6ea",
    "built": "#0072b2",
    "failed": "#c2410c",
    "cancelled": "#848b93",
    "unbuilt": "#848b93",
    "skipped": "#848b93",
}
_DARK = {
    "surface": "#15181c",
    "raised": "#1d2126",
    "text": "#e6e9ec",
    "quiet": "#9aa4ae",
    "line": "#2e343b",
    "built": "#56b4e9",
    "failed": "#ff8f52",
    "cancelled": "#8b939c",
    "unbuilt": "#8b939c",
    "skipped": "#8b939c",
}


def plain(text: str) -> str:
    """``text`` as XML and HTML can hold it: terminal escapes dropped, forbidden characters replaced."""
    unix = _TERMINAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", unix)


def escape(text: str) -> str:
    """``text`` for an element's content or a quoted attribute, in XML as in HTML."""
    return html.escape(plain(text), quote=True)


def number(value: float) -> str:
    """A coordinate with at most two decimals: ``3``, ``0.5``, ``12.25``."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(tag: str, attributes: Mapping[str, str | float], *content: str) -> str:
    """One element: attributes are escaped here, ``content`` is markup already.

    The end tag is always written, for ``<td/>`` is no end in HTML. Not for HTML's void elements.
    """
    written = "".join(
        f' {name}="{escape(value) if isinstance(value, str) else number(value)}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{''.join(content)}</{tag}>"


def palette(selector: str) -> str:
    """CSS that gives ``selector`` the colours as custom properties, ``--hp-text`` and so on.

    Dark only on screens: on paper nobody wants it.
    """
    light, dark = (
        "".join(f"--hp-{name}:{value};" for name, value in colours.items()) for colours in (_LIGHT, _DARK)
    )
    return f"{selector}{{{light}}}\n@media screen and (prefers-color-scheme:dark){{{selector}{{{dark}}}}}\n"


def text(x: float, y: float, words: str, size: float, css: str = "", anchor: str = "start") -> str:
    """A line of SVG text of ``size`` user units with its baseline at ``y``."""
    attributes: dict[str, str | float] = {"class": css} if css else {}
    attributes |= {"x": x, "y": y, "font-size": size}
    attributes |= {"text-anchor": anchor} if anchor != "start" else {}
    return element("text", attributes, escape(words))


def text_width(words: str, size: float, *, bold: bool = False) -> float:
    """The width of a line, estimated: fonts differ, so on the large side of most sans-serif ones."""
    ems = sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.58 for char in words)
    return ems * size * (1.08 if bold else 1.0)


def fit(words: str, room: float, size: float, *, bold: bool = False) -> str:
    """``words`` on one line, the end cut off as far as ``room`` needs."""
    # No character is narrower than half of the size: what is much too long needn't be cut one by one.
    most = min(len(words), int(room / size * 2) + 1)
    while most > 1 and text_width(one_line(words, most), size, bold=bold) > room:
        most -= 1
    return one_line(words, most)
