"""Settings: what the environment says, and what it must not say."""

from __future__ import annotations

import pytest

from homeiq_common import settings


def test_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHERS", "a=http://a:1, b = http://b:2,,")
    assert settings.pairs("OTHERS") == {"a": "http://a:1", "b": "http://b:2"}
    assert settings.pairs("NOTHING") == {}


def test_a_number_that_is_none_ends_the_program_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.number("SECONDS", 2) == 2
    monkeypatch.setenv("SECONDS", "two")
    with pytest.raises(SystemExit, match="SECONDS must be a number"):
        settings.number("SECONDS", 2)
