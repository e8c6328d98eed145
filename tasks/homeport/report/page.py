"""A build as one HTML file that needs nothing else: no network, no script to be read, good on paper."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone

from homeport.model.result import BuildResult, Status, TargetResult
from homeport.report.failure import failure_hint
from homeport.report.markup import element, escape, palette
from homeport.report.timeline import svg
from homeport.report.words import plural, seconds, short_digest, size

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
td code{display:block}
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
_COLUMNS = ("target", "why", "result", "time", "cached", "context", "image", "tags", "tries")
_ESTIMATE = (
    "* Estimates. At most, every target would have taken as long alone. But targets that share processors "
    "slow each other down: at least, it is the time for which the processors had work."
)
_FIGURES = ("time", "cached", "context", "tries")


def html(result: BuildResult) -> str:
    """The page as a whole HTML document, the timeline in it."""
    outcome, css = _outcome(result)
    name = f"{result.project}: " if result.project else ""
    # By its hash: no other script can run here, whatever a log line or a name may hold.
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    heading = [escape(name), element("span", {"class": f"badge {css}"}, escape(outcome))]
    body = [
        element("h1", {}, *heading),
        element("p", {"class": "quiet"}, escape(_when(result))),
        _figures(result),
        _failures(result),
        _timeline(result),
        _table(result),
        _warnings(result),
        _facts(result),
        element("footer", {}, _ESTIMATE),
        element("script", {}, _SCRIPT),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', {}, escape(f'{name}{outcome}'))}\n"
        f"{element('style', {}, palette(':root') + _STYLE)}\n</head>\n"
        f"{element('body', {}, *filter(None, body))}\n</html>\n"
    )


def _outcome(result: BuildResult) -> tuple[str, str]:
    """How the run ended in words, and the colour's class."""
    failed = len(result.having(Status.FAILED))
    if result.interrupted:
        return "build interrupted", "cancelled"
    if not result.targets:
        return "nothing to build", "built"
    if failed:
        return f"build failed ({plural(failed, 'target')})", "failed"
    return ("build succeeded", "built") if result.ok else ("build incomplete", "cancelled")


def _when(result: BuildResult) -> str:
    started = datetime.fromtimestamp(result.started_at, timezone.utc)
    return f"Started {started:%Y-%m-%d %H:%M:%S} UTC"


def _figures(result: BuildResult) -> str:
    counts = [f"{len(found)} {status.value}" for status in Status if (found := result.having(status))]
    total = len(result.targets)
    least, most = (seconds(value) for value in result.sequential_range())
    saved = max(result.sequential_range()[0] - result.seconds, 0.0)
    cached = sum(target.cached for target in result.targets)
    executed = sum(target.executed for target in result.targets)
    figures = (
        (", ".join(counts) if len(counts) > 1 else "target" if total == 1 else "targets", str(total)),
        ("wall time", seconds(result.seconds)),
        ("one after the other\N{NO-BREAK SPACE}*", least if least == most else f"{least} to {most}"),
        ("saved at least\N{NO-BREAK SPACE}*", seconds(saved)),
        (f"{'job' if result.jobs == 1 else 'jobs'} at most", str(result.jobs)),
        ("steps cached / run", f"{cached} / {executed}"),
        ("context sent", size(sum(target.context_bytes for target in result.targets))),
    )
    boxes = (
        element("div", {}, element("dt", {}, escape(word)), element("dd", {}, escape(value)))
        for word, value in figures
    )
    return element("dl", {"class": "figures"}, *boxes)


def _timeline(result: BuildResult) -> str:
    if not any(target.attempts for target in result.targets):
        return ""
    picture = element("h2", {}, "Timeline") + element("div", {"class": "scroll"}, svg(result))
    path, length = result.critical_path()
    if len(path) < 2:
        return picture
    words = f"Critical path, which no number of jobs makes shorter: {' → '.join(path)} ({seconds(length)})."
    return picture + element("p", {"class": "quiet"}, escape(words))


def _table(result: BuildResult) -> str:
    if not result.targets:
        return ""
    heads = (element("th", {"scope": "col", **_cell(column)}, column) for column in _COLUMNS)
    table = element(
        "table",
        {},
        element("thead", {}, element("tr", {}, *heads)),
        "\n",
        element("tbody", {}, *(f"{_row(target)}\n" for target in result.targets)),
    )
    return element("h2", {}, "Targets") + element("div", {"class": "scroll"}, table)


def _cell(column: str) -> dict[str, str | float]:
    return {"class": "figure"} if column in _FIGURES else {}


def _row(target: TargetResult) -> str:
    ran = target.attempts > 0
    steps = f"{target.cached}/{target.cached + target.executed}" if ran else ""
    retried = element("small", {}, escape(", ".join(target.retried))) if target.retried else ""
    note = element("small", {}, escape(target.note)) if target.note else ""
    status = element("span", {"class": f"badge {target.status.value}"}, target.status.value)
    digest = element("code", {"title": target.digest}, escape(short_digest(target.digest)))
    tags = (element("code", {}, escape(tag)) for tag in target.tags)

    def figure(words: str, sort: float) -> str:
        return element("td", {"class": "figure", "data-sort": sort if ran else -1.0}, escape(words))

    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(target.name)),
        element("td", {}, escape(target.why)),
        element("td", {}, status, note),
        figure(seconds(target.seconds) if ran else "", target.seconds),
        figure(steps, target.cached),
        figure(size(target.context_bytes) if ran else "", target.context_bytes),
        element("td", {"class": "image"}, digest if target.digest else ""),
        element("td", {"class": "tags"}, *tags),
        element("td", {"class": "figure"}, str(target.attempts) if ran else "", retried),
    )


def _failures(result: BuildResult) -> str:
    failed = result.having(Status.FAILED)
    if not failed:
        return ""
    return element("h2", {}, plural(len(failed), "failure")) + "\n".join(map(_failure, failed))


def _failure(target: TargetResult) -> str:
    failure = target.failure
    parts = [element("h3", {}, escape(target.name))]
    if failure is not None:
        place = f"{failure.dockerfile}:{failure.line}" if failure.line else failure.dockerfile
        where = [f"stage {failure.stage}" if failure.stage else "", place]
        parts += [element("p", {"class": "quiet"}, escape(", ".join(word for word in where if word)))]
        parts += [element("p", {}, element("code", {}, escape(failure.step)))] if failure.step else []
        log = "\n".join(failure.log)
        # The first line feed of a <pre> is dropped by HTML: this one, and not one of the log's.
        parts += [element("pre", {}, "\n", escape(log))] if log.strip() else []
        parts += [element("p", {}, escape(failure.message))]
        hint = failure_hint(failure)
        parts += [element("p", {}, element("b", {}, "next: "), escape(hint))] if hint else []
    return element("section", {"class": "failure"}, *parts)


def _warnings(result: BuildResult) -> str:
    own = [f"{target.name}: {text}" for target in result.targets for text in target.warnings]
    items = [element("li", {}, escape(text)) for text in (*result.warnings, *own)]
    return element("h2", {}, "Warnings") + element("ul", {}, *items) if items else ""


def _facts(result: BuildResult) -> str:
    pairs = (
        element("dt", {}, escape(name)) + element("dd", {}, escape(value))
        for name, value in result.facts.items()
    )
    return element("h2", {}, "Built with") + element("dl", {"class": "facts"}, *pairs) if result.facts else ""
