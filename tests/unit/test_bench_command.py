"""Wrong words on the command line: exit code 2, the nearest right one, and nothing is read or touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.program import main


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--scenarios", "paralel"], "did you mean 'parallel'?"),
        (["--rounds", "0"], "--rounds must be 1 or more"),
        (["--rounds", "two"], "--rounds takes a whole number"),
        (["--check"], "--check needs something to compare with"),
        (["--against", "none.json"], "can't be read"),
        (["--against", "garbage.json"], "is no earlier run of the bench"),
    ],
)
def test_wrong_words(
    argv: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "garbage.json").write_text("{", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["homeport", "bench", *argv])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[bench.expect]\nbuilds = "50"\n', "did you mean 'build'?"),
        ('[bench.expect]\nbuild = "fast"\n', "no range of percent"),
        ("[bench]\nround = 1\n", "did you mean 'rounds'?"),
        ("[bench]\nrate = 0\n", "more than 0"),
    ],
)
def test_wrong_settings(
    text: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "homeport.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["homeport", "bench"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
