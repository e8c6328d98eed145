"""docs/TROUBLESHOOTING.md is what the code says, and a real error is found on it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import error_messages
import troubleshooting
from homeport.commands.adapter import whole_number
from homeport.deploy.probe import check_url
from homeport.errors import HomeportError
from homeport.model import release
from homeport.model.config import parse_config
from homeport.model.targets import parse_definition
from troubleshooting_notes import NOTES, Note

PAGE = troubleshooting.PAGE.read_text(encoding="utf-8")
MESSAGES = error_messages.read(troubleshooting.PACKAGE)


def entries() -> dict[str, str]:
    """By message: its exit code, as the page has them."""
    return dict(re.findall(r"^- `(.+)` \(exit code (.+)\)$", PAGE, re.MULTILINE))


def test_the_page_is_what_the_code_says_now() -> None:
    assert troubleshooting.problems(MESSAGES, NOTES) == []
    assert troubleshooting.page(MESSAGES, NOTES) == PAGE, "run python ci/troubleshooting.py"


def test_every_entry_has_a_next_step() -> None:
    blocks = re.split(r"^- `", PAGE, flags=re.MULTILINE)[1:]
    assert len(blocks) > 150
    assert [block.splitlines()[0] for block in blocks if "\n  - next: " not in block] == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: parse_config({"biuld": {}}, "homeport.toml"),
        lambda: parse_config({"build": {"jobs": "three"}}, "homeport.toml"),
        lambda: parse_config({"build": {"registry": "https://ghcr.io"}}, "homeport.toml"),
        lambda: release.choose((), "r7"),
        lambda: release.choose((), "previous"),
        lambda: whole_number("many", "--jobs", 1),
        lambda: check_url("http://me:secret@localhost"),
        lambda: parse_definition("no JSON"),
    ],
)
def test_a_real_error_is_found_on_the_page(wrong: Callable[[], object]) -> None:
    with pytest.raises(HomeportError) as caught:
        wrong()
    error = caught.value
    fitting = {what: code for what, code in entries().items() if _fits(what, error.what)}
    assert str(error.exit_code) in fitting.values(), error.what


def _fits(entry: str, said: str) -> bool:
    pattern = ".+".join(re.escape(part) for part in entry.split(error_messages.HOLE))
    return bool(re.fullmatch(pattern, said))


def made_up(folder: Path, text: str) -> list[error_messages.Message]:
    errors = """
        EXIT_USAGE = 2
        class HomeportError(Exception):
            exit_code = 1
        class UsageError(HomeportError):
            exit_code = EXIT_USAGE
        class Deeper(UsageError): ...
    """
    (folder / "errors.py").write_text(textwrap.dedent(errors), encoding="utf-8")
    (folder / "work.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return error_messages.read(folder)


def test_words_are_read_from_constants_formats_choices_and_callers(tmp_path: Path) -> None:
    found = made_up(
        tmp_path,
        """
        NEXT = "Look there."
        def refuse(what):
            raise Deeper(f"{what}.", hint=NEXT)
        def work(name, far):
            back = "It is far." if far else "It is near."
            raise UsageError(f"There is no {name!r} in {name.place}. {back}", cause="a" if far else name)
        refuse("The work can't begin")
        """,
    )
    assert [(one.what, one.code, one.causes, one.hints) for one in found] == [
        ("The work can't begin.", 2, (), ("Look there.",)),
        ("There is no '…' in …. It is far.", 2, ("a",), ()),
        ("There is no '…' in …. It is near.", 2, ("a",), ()),
    ]


def test_what_a_person_has_to_write_is_asked_for(tmp_path: Path) -> None:
    found = made_up(tmp_path, 'def work():\n    raise UsageError("The work fails.")\n')
    (lacking,) = troubleshooting.problems(found, {})
    assert "'The work fails.' has no hint=" in lacking
    assert troubleshooting.problems(found, {"The work fails.": Note("Try again.")}) == []
    (left,) = troubleshooting.problems([], {"The work fails.": Note("Try again.")})
    assert "no message 'The work fails.' any more" in left
