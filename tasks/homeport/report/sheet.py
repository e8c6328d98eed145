"""The frame of every HTML report: one file that needs nothing else, no network, good on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Container, Iterable
from datetime import datetime, timezone

from homeport.report.markup import element, escape, palette

_STYLE = """
*{box-sizing:border-box}
:root{color-scheme:light dark}
body{margin:0 auto;padding:28px 24px 48px;max-width:1180px;background:var(--hp-surface);color:var(--hp-text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:25px;line-height:1.25;margin:0 0 2px;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 10px}
h3{font-size:15px;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:0 0 8px}
code,pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}
.quiet{color:var(--hp-quiet)}
.badge{font-weight:700}
.built{color:var(--hp-built)}.failed{color:var(--hp-failed)}
.cancelled,.unbuilt,.skipped{color:var(--hp-quiet)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:10px;margin:20px 0 0}
.figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end;padding:9px 12px;
border:1px solid var(--hp-line);border-radius:8px}
.figures dt{color:var(--hp-quiet);font-size:13px}
.figures dd{margin:0;font-size:19px;font-weight:650;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
.scroll svg{display:block;width:100%;min-width:760px;height:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-bottom:1px solid var(--hp-line)}
th{font-size:13px;color:var(--hp-quiet);font-weight:600;white-space:nowrap}
th button{all:unset;cursor:pointer}
th button:focus-visible{outline:2px solid var(--hp-built);outline-offset:2px}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
td.figure,th.figure{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--hp-quiet);white-space:normal}
td.name{font-weight:600;overflow-wrap:anywhere;min-width:130px}
td code{display:block;white-space:nowrap}
td.image{white-space:nowrap}td.tags{min-width:170px}
.failure{border:1px solid var(--hp-line);border-left:4px solid var(--hp-failed);border-radius:6px;
padding:12px 16px;margin:0 0 14px}
pre{background:var(--hp-raised);border-radius:6px;padding:10px 12px;margin:0 0 8px;white-space:pre-wrap}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0}
.facts dt{color:var(--hp-quiet)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:36px;color:var(--hp-quiet);font-size:13px}
@media print{body{max-width:none;padding:0;font-size:11px}.scroll{overflow:visible}.scroll svg{min-width:0}
table,code,pre{font-size:9.5px}thead{display:table-header-group}tr,.failure,.figures div{break-inside:avoid}}
"""
# Turns the table's headings into buttons that sort; a cell's data-sort counts before its words.
_SCRIPT = """
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, i) => row.cells[i].dataset.sort ?? row.cells[i].textContent;
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a, b) => key(a, i).localeCompare(key(b, i), "en", { numeric: true }) * (down ? -1 : 1);
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    });
  });
}
"""


def sheet(name: str, outcome: str, css: str, started: float, parts: Iterable[str]) -> str:
    """The whole HTML document: what it is about, how that ended, and below it ``parts``, which are markup.

    ``css`` is the class of the outcome's colour, ``started`` counts seconds since the epoch.
    """
    about = f"{name}: " if name else ""
    # By its hash: no other script can run here, whatever a log line or a name may hold.
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    when = f"Started {datetime.fromtimestamp(started, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    body = [
        element("h1", {}, escape(about), element("span", {"class": f"badge {css}"}, escape(outcome))),
        element("p", {"class": "quiet"}, when),
        *parts,
        element("script", {}, _SCRIPT),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', {}, escape(f'{about}{outcome}'))}\n"
        f"{element('style', {}, palette(':root') + _STYLE)}\n</head>\n"
        f"{element('body', {}, *filter(None, body))}\n</html>\n"
    )


def figures(pairs: Iterable[tuple[str, str]]) -> str:
    """A row of boxes: words, and the figure that they explain."""
    boxes = (
        element("div", {}, element("dt", {}, escape(words)), element("dd", {}, escape(figure)))
        for words, figure in pairs
    )
    return element("dl", {"class": "figures"}, *boxes)


def section(heading: str, content: str) -> str:
    """A heading, and content that may be wider than the page."""
    return element("h2", {}, escape(heading)) + element("div", {"class": "scroll"}, content)


def table(heading: str, columns: Iterable[str], right: Container[str], rows: Iterable[str]) -> str:
    """A section with a table that sorts; ``right`` are the columns of figures, ``rows`` are markup."""
    heads = (
        element("th", {"scope": "col", **({"class": "figure"} if column in right else {})}, escape(column))
        for column in columns
    )
    parts = [
        element("thead", {}, element("tr", {}, *heads)),
        "\n",
        element("tbody", {}, *(f"{row}\n" for row in rows)),
    ]
    return section(heading, element("table", {}, *parts))


def figure(words: str, sort: float) -> str:
    """A cell with a figure; what has none sorts before 0, as -1."""
    return element("td", {"class": "figure", "data-sort": sort}, escape(words))


def log(lines: str) -> str:
    """Text as it is, line by line; nothing for no text."""
    # The first line feed of a <pre> is dropped by HTML: this one, and not one of the text's.
    return element("pre", {}, "\n", escape(lines)) if lines.strip() else ""
