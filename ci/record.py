"""What README.md shows of a terminal, as a picture, from a real run.

    python ci/record.py examples/homeiq     after `make demo`, or wherever the example's stack is deployed

It builds another version of one service, deploys it and goes back, in this process, and writes what the
commands print to docs/images/terminal.svg: on a dark ground of its own, so that it can be read on any page.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from homeport.report import console as consoles

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "terminal.svg"
WIDTH = 120
VERSION = "2.1"
SERVICE = "data-api"
COMMANDS = (
    ("build", "--parallel", "--targets", SERVICE),
    ("deploy", "--zero-downtime", "--services", SERVICE),
    ("rollback",),
)


def main() -> int:
    """Run the commands in the folder that is named; exit 1, and write nothing, if a command fails."""
    parser = argparse.ArgumentParser(description="Record the terminal of README.md.")
    parser.add_argument("folder", type=Path, help="where the example's stack is deployed from")
    os.chdir(parser.parse_args().folder)
    os.environ["VERSION"] = VERSION
    # No terminal: then each event is a line. Colours all the same.
    screen = Console(
        record=True, width=WIDTH, force_terminal=False, color_system="truecolor", highlight=False
    )
    consoles.make_console = lambda stream=None: screen  # before a flow asks for one
    screen.print(_prompt(f"export VERSION={VERSION}"))
    for words in COMMANDS:
        screen.print()
        screen.print(_prompt(" ".join(("homeport", *words))))
        if code := _run(words):
            print(f"'homeport {' '.join(words)}' ended with {code}: no picture", file=sys.stderr)
            return 1
    # rich names fonts of a server; a picture in a README loads nothing from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", screen.export_svg(title="homeport"), flags=re.DOTALL)
    PICTURE.write_text(svg, encoding="utf-8", newline="\n")
    return 0


def _run(words: tuple[str, ...]) -> int:
    """Run one command here; its exit code."""
    from homeport.program import main as homeport

    sys.argv = ["homeport", *words]
    try:
        homeport()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _prompt(command: str) -> Text:
    return Text.assemble(("$ ", "bold green"), (command, "bold"))


if __name__ == "__main__":
    sys.exit(main())
