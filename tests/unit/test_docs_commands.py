"""What the guides name is there: every command and option, every file that they lead to, every setting."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import guides
from homeport.commands import namespace
from homeport.errors import HomeportError
from homeport.model.config import parse_config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = guides.guides()
_CALL = re.compile(r"\b(?:homeport|invoke) ([a-z][a-z.]*)\b([^\n`'|]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_OTHERS = {
    "--checksum", "--mount", "--no-cache", "--no-cache-dir", "--progress", "--tag", "--update-cache",
}  # fmt: skip
"""Options of docker, Dockerfiles, git, pytest and others, which stand in the guides without their program."""


def flags() -> dict[str, set[str]]:
    """By command its options, as they are typed. invoke makes a --no-x of each that is on by default."""
    found = {}
    for name in namespace.task_names:
        task: Any = namespace[name]
        arguments = task.get_arguments()
        own = [word.replace("_", "-") for one in arguments for word in one.names]
        off = [f"no-{one.name.replace('_', '-')}" for one in arguments if one.default is True]
        found[name] = {f"--{word}" for word in own + off}
    return found


FLAGS = flags()


def ids(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_every_command_and_option_is_there(path: Path) -> None:
    wrong = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for name, rest in _CALL.findall(line):
            if name not in FLAGS:
                # In a sentence "homeport builds" is no command; in code it must be one.
                if re.search(rf"(?:^ {{4}}|`)(?:homeport|invoke) {re.escape(name)}\b", line):
                    wrong.append(f"{path.name}:{number}: there is no command {name!r}")
                continue
            words = rest.partition(" #")[0]
            wrong += [
                f"{path.name}:{number}: {name} has no {option}"
                for option in _OPTION.findall(words)
                if option not in FLAGS[name] | {"--help"}
            ]
    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_an_option_that_stands_alone_is_one_of_some_command(path: Path) -> None:
    known = set().union(*FLAGS.values()) | OF_OTHERS | {"--help", "--list", "--version"}
    text = path.read_text(encoding="utf-8")
    alone = {option for span in re.findall(r"`(--[^`]*)`", text) for option in _OPTION.findall(span)}
    assert alone - known == set()


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)\s]*)?\)", path.read_text(encoding="utf-8")):
        if target and "://" not in target and not (path.parent / target).exists():
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_every_block_is_what_its_language_says(path: Path) -> None:
    for block in guides.blocks(path):
        try:
            _read(block)
        except (HomeportError, YAMLError, SyntaxError, ValueError, AssertionError) as error:
            pytest.fail(f"{block.place}: {error}", pytrace=False)


def _read(block: guides.Block) -> None:
    if block.language == guides.SHELL:
        assert block.commands(), "a block of commands without one"
    elif block.language == "toml":
        parse_config(tomllib.loads(block.text), block.place)
    elif block.language in ("yaml", "yml"):
        YAML(typ="safe", pure=True).load(block.text)
    elif block.language == "python":
        ast.parse(block.text)
    else:
        assert block.language in ("text", "dockerfile", "diff", "mermaid"), block.language


def test_a_directive_counts_for_the_lines_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guides, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- `homeport scan` not run: no database -->\n"
        "<!-- `homeport status` exits with 0 or 1: may differ -->\n\n"
        "```sh\nA=1 homeport build \\\n  --parallel   # all\nhomeport scan\nhomeport status\n```\n\n"
        "Text.\n\n    make test\n",
        encoding="utf-8",
    )
    first, second = guides.blocks(page)
    build, scan, status = first.commands()
    assert build.argv == ("homeport", "build", "--parallel")
    assert build.variables == (("A", "1"),)
    assert (set(build.codes), build.skipped) == ({0}, "")
    assert scan.skipped == "no database"
    assert status.codes == {0, 1}
    assert [one.argv for one in second.commands()] == [("make", "test")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\nmake\n```\n", "language"),
        ("<!-- not run -->\n\n    make\n", "no directive"),
        ("<!-- `make b` not run: slow -->\n\n    make a\n", "no line begins"),
    ],
)
def test_what_cant_be_understood_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr(guides, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(guides.GuideError, match=why):
        [one.commands() for one in guides.blocks(page)]
