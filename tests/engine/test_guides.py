"""The guides, tried: every command in their code blocks runs in a copy of the example, as printed.

The pages are read in the order in which a newcomer would read them, and all commands work on one copy, as one
person would: what README builds and deploys is there for the guides after it. What isn't run says why in the
page's source (see tests/support/guides.py); the last test lists those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

import guides
from engine_fixtures import DockerSession, run_program
from example_stack import Example, make_example
from warm import Warm

FIRST = ("README.md", "DEPLOYMENT_GUIDE.md", "MIGRATING.md")
PAGES = sorted(guides.guides(), key=lambda page: (*(page.name != name for name in FIRST), page.name))
BLOCKS = [block for page in PAGES for block in guides.blocks(page) if block.language == guides.SHELL]
COMMAND_SECONDS = 240
FEWEST_RUN = 45
"""So that nobody takes the guides out of the tests without noticing."""


@pytest.fixture(scope="module")
def place(
    docker_session: DockerSession, base_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    """The copy of the example, a git repository as a user's is; what was deployed is removed at the end."""
    folder = tmp_path_factory.mktemp("guides") / "homeiq"
    made = make_example(folder, docker_session, base_images, "guides")
    cache = {"XDG_CACHE_HOME": str(folder.parent / "cache")}
    found = Example(folder, {**made.variables, **cache})
    for words in ("init --quiet --initial-branch main", "add --all", "commit --quiet --message first"):
        found.works("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words.split())
    yield found
    run_program([sys.executable, "-m", "homeport", "down", "--volumes"], folder, found.variables)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_the_commands_work_as_printed(
    block: guides.Block, place: Example, warm_homeport: Warm | None
) -> None:
    for command in block.commands():
        if command.skipped:
            continue
        done = _run(command, place, warm_homeport)
        assert done[0] in command.codes, f"{block.place}: {command.text} ended with {done[0]}\n{done[1]}"


def _run(command: guides.Command, place: Example, warm_homeport: Warm | None) -> tuple[int, str]:
    """Run one line; its exit code and all that it printed."""
    program, *words = command.argv
    variables = {**place.variables, **dict(command.variables)}
    own = {
        "homeport": [sys.executable, "-m", "homeport"],
        "invoke": [sys.executable, "-m", "invoke"],
        "python": [sys.executable],
    }
    if program == "homeport" and warm_homeport is not None:
        done = warm_homeport.run(words, place.folder, {**os.environ, **variables}, COMMAND_SECONDS)
    else:
        done = run_program([*own.get(program, [program]), *words], place.folder, variables, COMMAND_SECONDS)
    return done.returncode, done.stdout + done.stderr


def test_what_is_not_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [(block.place, command) for block in BLOCKS for command in block.commands()]
    left_out = [(place, command) for place, command in commands if command.skipped]
    with capsys.disabled():
        print(f"\nguides: {len(commands) - len(left_out)} commands run, {len(left_out)} not:")
        for place, command in left_out:
            print(f"  {place}: {command.text.partition('  #')[0].strip()}: {command.skipped}")
    assert len(commands) - len(left_out) >= FEWEST_RUN
