"""The weather is made up, but it has rules."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import main
from fastapi.testclient import TestClient

NOON = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)


def test_an_hour_has_one_weather() -> None:
    assert main.weather(NOON) == main.weather(NOON + timedelta(minutes=59))
    assert main.weather(NOON) != main.weather(NOON + timedelta(hours=1))


def test_afternoons_are_warmer_than_nights() -> None:
    days = [NOON.replace(hour=15) + timedelta(days=day) for day in range(30)]
    warmer = sum(
        main.weather(day)["temperature"] > main.weather(day - timedelta(hours=12))["temperature"]
        for day in days
    )
    assert warmer == len(days)


def test_a_forecast_has_as_many_hours_as_asked_for() -> None:
    caller = TestClient(main.app)
    assert len(caller.get("/weather/forecast", params={"hours": 5}).json()) == 5
    assert caller.get("/weather/forecast", params={"hours": 100}).status_code == 422
