"""What a test that was killed had started, and what somebody still works with: real programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil

from homeport.engine import owner


def test_programs_of_a_test_that_was_killed_are_found_and_ended() -> None:
    # A place of their own: another test's sweep may come before this one's.
    mine = replace(owner.me(), place="only-here")
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


def test_a_process_that_has_ended_is_gone_though_nobody_has_asked_how() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert owner.mark_of(ended.pid)
        ended.kill()
        end = time.monotonic() + 60
        while (mark := owner.mark_of(ended.pid)) is not None and time.monotonic() < end:
            time.sleep(0.05)
        assert mark is None
        assert ended.returncode is None
    finally:
        ended.kill()
        ended.communicate()
