"""What a test that was killed had started, and what somebody still works with: real programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil

from homeport.test import owner


def test_programs_of_a_test_that_was_killed_are_found_and_ended() -> None:
    mine = owner.me()
    gone = replace(mine, mark=f"{mine.mark}0")
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    programs = [
        subprocess.Popen(argv, env={**os.environ, owner.VARIABLE: str(whose)}) for whose in (gone, mine)
    ]
    left, kept = (program.pid for program in programs)
    try:
        time.sleep(0.2)  # until each is the program that it was started for
        found = [one for one in owner.strays(mine.place) if one.pid in {left, kept}]
        assert [one.pid for one in found] == [left]
        owner.end(found)
        assert not psutil.pid_exists(left)
        assert programs[1].poll() is None
    finally:
        for program in programs:
            program.kill()
            program.wait()
