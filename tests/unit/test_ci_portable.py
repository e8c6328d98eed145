"""The check finds what it is there for, and leaves the rest alone."""

from __future__ import annotations

import pytest

import portable

WRITES = [
    "path.write_text(text, encoding='utf-8')",
    "open(path, 'w', encoding='utf-8')",
    "open(path, mode='a')",
    "path.open('x', encoding='utf-8')",
    "io.open(path, 'r+')",
    "os.fdopen(1, 'w')",
]
PATHS = [
    "Path('/dev/null')",
    "pathlib.Path('/tmp/x').read_bytes()",
    "open('/etc/hosts', 'rb')",
    "os.listdir('/proc')",
    "Path(f'/proc/{pid}/stat')",
]
FINE = [
    "path.write_text(text, encoding='utf-8', newline='\\n')",
    "write_text(path, text)",  # ours
    "path.write_bytes(data)",
    "path.open('wb')",
    "path.open()",
    "open(path, encoding='utf-8')",
    "open(path, mode='ab')",
    "open(path, mode)",
    "tarfile.open(fileobj=packed, mode='w')",
    "tempfile.TemporaryFile()",
    "execute(container, ['cat', '/etc/hosts'])",
    "volume('/var/lib/data')",
    "Path('/proc/version')  # posix: elsewhere it isn't there",
    "Path('//server/share')",
    "Path('relative/tmp')",
]


@pytest.mark.parametrize("line", WRITES)
def test_line_ends_that_change(line: str) -> None:
    assert [(at, "newline=" in why) for at, why in portable.problems(f"x = 1\n{line}\n")] == [(2, True)]


@pytest.mark.parametrize("line", PATHS)
def test_paths_that_only_posix_has(line: str) -> None:
    assert [(at, "no path of Windows" in why) for at, why in portable.problems(line)] == [(1, True)]


@pytest.mark.parametrize("line", FINE)
def test_what_works_everywhere(line: str) -> None:
    assert list(portable.problems(line)) == []


def test_the_program_itself_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert portable.main([]) == 0, capsys.readouterr().out
