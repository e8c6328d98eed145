"""The small change of one service: a comment, in a file that somebody would edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.bench.change import append, candidates


def write(path: Path, text: str = "x\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_programs_of_services_with_a_folder_of_their_own_come_first(tmp_path: Path) -> None:
    for name in ("api/readme.md", "api/notes.txt", "api/main.py", "api/requirements.txt",
                 "api/tests/test_a.py", "web/src/app.js", "all.py"):  # fmt: skip
        write(tmp_path / name)
    found = candidates({"root": tmp_path, "api": tmp_path / "api", "web": tmp_path / "web"}, tmp_path)
    paths = [(one.target, one.path) for one in found]
    assert paths[:2] == [("api", "api/main.py"), ("web", "web/src/app.js")]
    assert ("root", "all.py") in paths
    assert not {"api/requirements.txt", "api/readme.md", "api/tests/test_a.py"} & {path for _, path in paths}
    # What may be of others, too, comes last.
    assert [target for target, _ in paths][-1] == "root"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.py", "x = 1\n", "x = 1\n# homeport bench 1f\n"),
        ("a.js", "x", "x\n// homeport bench 1f\n"),
        ("a.css", "a{}\n", "a{}\n/* homeport bench 1f */\n"),
        ("a.html", "", "<!-- homeport bench 1f -->\n"),
        ("a.txt", "x\n", "x\nhomeport bench 1f\n"),
    ],
)
def test_the_line(name: str, before: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(before, encoding="utf-8")
    append(file, "1f")
    assert file.read_text(encoding="utf-8") == after


def test_a_changed_python_file_still_runs(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = (1,\n     2)", encoding="utf-8")
    append(file, "1f")
    compile(file.read_text(encoding="utf-8"), "a.py", "exec")
