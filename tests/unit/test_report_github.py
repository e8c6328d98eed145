from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from markdown_it import MarkdownIt

from homeport.model.result import BuildResult, Status
from homeport.model.solve import Failure
from homeport.report.github import (
    annotation,
    group_end,
    group_start,
    is_active,
    safe_log_line,
    step_summary,
)
from homeport.report.markup import plain
from report_samples import FAILURE, HOSTILE, TEXTS, build, saying, target


def commands(output: str) -> list[tuple[str, str]]:
    """The commands that a runner finds in output: name with properties, and message.

    After actions/runner, src/Runner.Common/ActionCommand.cs, with every name taken for a command's.
    """
    found = []
    for line in re.split(r"\r\n|\r|\n", output):
        new = re.match(r"::(.*?)::(.*)", line.lstrip(), re.DOTALL)
        old = re.search(r"##\[([^]]*)\](.*)", line, re.DOTALL)
        if match := new or old:
            found.append((match[1], match[2]))
    return found


def unescaped(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def failed(name: str = "api", failure: Failure | None = FAILURE) -> str:
    return annotation(target(name, status=Status.FAILED, failure=failure))


def rendered(result: BuildResult) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(step_summary(result)))


@pytest.mark.parametrize(
    ("env", "expected"),
    [({"GITHUB_ACTIONS": "true"}, True), ({"GITHUB_ACTIONS": "false"}, False), ({}, False)],
)
def test_is_active(env: dict[str, str], expected: bool) -> None:
    assert is_active(env) is expected


@given(TEXTS)
@example("::error::x")
@example(" \t\N{NO-BREAK SPACE}::error::x")
@example("harmless\r::error::x")
@example("not at the start: ##[error]x")
@example("#####[[error]x")
def test_a_log_line_is_never_a_command(line: str) -> None:
    assert commands(safe_log_line(line)) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "| "),
        ("::group::x", "| ::group::x"),
        ("a ##[group]x", "| a ## [group]x"),
        ("one\rtwo\r\nthree", "| one\n| two\n| three"),
        ("\x1b[31mred\x1b[0m", "| \x1b[31mred\x1b[0m"),
    ],
)
def test_safe_log_line(line: str, expected: str) -> None:
    assert safe_log_line(line) == expected


@given(TEXTS)
def test_a_group_is_one_command(title: str) -> None:
    ((name, _),) = commands(group_start(title))
    assert name == "group"


def test_a_group() -> None:
    assert group_start("log of 100%\nsure") == "::group::log of 100%25 sure"
    assert group_end() == "::endgroup::"


def test_an_annotation() -> None:
    assert failed() == (
        "::error file=services/api/Dockerfile,line=12,title=api failed in stage builder::"
        'process "/bin/sh -c pip install -r requirements.txt" did not complete successfully: exit code: 1%0A'
        "[builder 3/5] RUN pip install -r requirements.txt%0A"
        "| Collecting fastapi==99%0A"
        "| ERROR: No matching distribution found for fastapi==99"
    )


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, "::error title=api failed::api failed"),
        (Failure("100%, or: less"), "::error title=api failed::100%25, or: less"),
        (Failure("x", stage="a:b,c%"), "::error title=api failed in stage a%3Ab%2Cc%25::x"),
        (Failure("x", dockerfile="C:\\a,b"), "::error file=C%3A\\a%2Cb,title=api failed::x"),
        (Failure("x", line=3), "::error title=api failed::x"),
    ],
)
def test_annotations_leave_out_what_is_unknown_and_escape_the_rest(
    failure: Failure | None, expected: str
) -> None:
    assert failed(failure=failure) == expected


@given(TEXTS)
def test_an_annotation_is_one_command_whatever_it_says(text: str) -> None:
    ((head, message),) = commands(annotation(saying(text).targets[0]))
    kind, _, properties = head.partition(" ")
    keys = [pair.partition("=")[0] for pair in properties.split(",")]
    assert kind == "error"
    assert keys in (["title"], ["file", "line", "title"])
    assert "\n" not in message
    assert unescaped(message).count("\n") < 12 * (plain(text).count("\n") + 1)


def test_an_annotation_stays_short() -> None:
    long = Failure("m" * 9000, "s" * 9000, "t" * 9000, log=tuple("l" * 9000 for _ in range(60)))
    assert len(failed(failure=long)) < 6000


def test_the_summary_of_a_build() -> None:
    head, table = step_summary(build(2)).split("| target |")
    assert head.startswith("### Build succeeded: homeiq\n\n2 built in 4.8 s, 4 jobs.\n\n")
    assert "Critical path&#58; base -&gt; service-001 &#40;4.8 s&#41;.\n\n" in head
    code = "<code>000000000000</code>"
    assert table == (
        " why | result | time | cached | context | image |\n"
        "| --- | --- | --- | ---: | ---: | ---: | --- |\n"
        f"| <code>base</code> | services/app/main.py changed | built | 0.8 s | 2/5 | 0 B | {code} |\n"
        f"| <code>service-001</code> | no image yet | built | 4.0 s | 2/5 | 12.3 kB | {code} |\n"
        "\n"
    )


def test_the_summary_of_nothing() -> None:
    assert step_summary(build(0)) == "### Build succeeded: homeiq\n\nNothing to do in 0.0 s, 4 jobs.\n\n\n"


def test_failures_are_folded() -> None:
    text = rendered(build(16, broken=(4,)))
    assert (
        "<details><summary><code>service-004</code> failed in stage <code>builder</code> "
        "at <code>services/api/Dockerfile&#58;12</code></summary>" in text
    )
    assert "ERROR: No matching distribution found for fastapi==99</pre>" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_warnings_are_folded() -> None:
    result = replace(build(1), warnings=("cache|down", "*b*"))
    assert "<summary>2 warnings</summary>" in step_summary(result)
    assert "<li>cache|down</li>\n<li>*b*</li>" in rendered(result)


@given(TEXTS)
@example(HOSTILE)
@example("\\|")
@example("`|`")
@example("<!--")
def test_any_text_keeps_the_table_and_the_folds(text: str) -> None:
    page = rendered(saying(text))
    assert page.count("<tr>") == 3
    assert page.count("<td") == 14
    assert page.count("<details>") == page.count("</details>") == 2
    assert page.count("<pre>") == page.count("</pre>") <= 1
    assert not re.search(r"<(a|em|h2|img|s|del|b|script|hr)\b", page)


def test_a_huge_summary_is_cut_and_says_so() -> None:
    failure = Failure("|" * 4000, "|" * 200, "|" * 900, "|" * 900, 1, tuple("<" * 900 for _ in range(60)))
    bad = target("x", status=Status.FAILED, failure=failure, why="|" * 500, warnings=("|" * 900,))
    result = BuildResult(tuple(replace(bad, name=f"x{index}") for index in range(2000)), 0, 1, 1, ())
    text = step_summary(result)
    assert len(text.encode()) < 600 * 1024
    for word in ("target", "failure", "warning"):
        assert re.search(rf"… and \d+ more {word}s\.", text)
