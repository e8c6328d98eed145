"""Weather that depends on nothing but the time: warm afternoons, cold nights, some noise."""

from __future__ import annotations

import math
import os
import random
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import FastAPI, Query

from homeiq_common import service

LOCATION = os.environ.get("WEATHER_LOCATION", "Las Vegas")
SKIES = ("clear", "clear", "partly cloudy", "cloudy", "rain")

app: FastAPI = service.create("weather-api")


def weather(moment: datetime) -> dict[str, Any]:
    """The weather of an hour; asking again gives the same."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    chance = random.Random(f"{LOCATION}/{hour.isoformat()}")
    warmth = math.sin(2 * math.pi * (hour.hour - 9) / 24)  # highest at 15:00, lowest at 3:00
    return {
        "location": LOCATION,
        "time": hour.isoformat(),
        "temperature": round(14 + 8 * warmth + chance.gauss(0, 1), 1),
        "humidity": round(min(100, max(10, 55 - 20 * warmth + chance.gauss(0, 5)))),
        "wind": round(abs(chance.gauss(12, 6)), 1),
        "sky": chance.choice(SKIES),
    }


@app.get("/weather/current")
def current() -> dict[str, Any]:
    """This hour."""
    return weather(datetime.now(timezone.utc))


@app.get("/weather/forecast")
def forecast(hours: Annotated[int, Query(ge=1, le=72)] = 24) -> list[dict[str, Any]]:
    """The hours to come."""
    now = datetime.now(timezone.utc)
    return [weather(now + timedelta(hours=ahead)) for ahead in range(1, hours + 1)]


if __name__ == "__main__":
    service.serve(app, 8009)
