"""Collects one value from outside (air quality, carbon intensity, electricity price) as a reading."""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI

from homeiq_common import service, settings
from homeiq_common.database import Database
from homeiq_common.records import current_slot, store_reading
from homeiq_common.workers import Repeat


@dataclass(frozen=True)
class Source:
    """What a real collector would fetch from some API; here it follows the time of day."""

    metric: str
    unit: str
    middle: float
    swing: float
    peak_hour: int

    def value(self, moment: datetime) -> float:
        hours = moment.hour + moment.minute / 60 - self.peak_hour
        noise = random.Random(f"{self.metric}/{moment.isoformat()}").gauss(0, self.swing / 20)
        return round(self.middle + self.swing * math.cos(2 * math.pi * hours / 24) + noise, 4)


SOURCES = {
    "air-quality": Source("aqi", "AQI", 45, 20, peak_hour=18),
    "carbon-intensity": Source("carbon", "gCO2/kWh", 310, 120, peak_hour=20),
    "electricity-pricing": Source("price", "EUR/kWh", 0.29, 0.09, peak_hour=19),
}
KIND = os.environ["KIND"]
EVERY_S = settings.number("COLLECT_EVERY_SECONDS", 10)
source = SOURCES[KIND]


def collect() -> None:
    """One value a slot, however many replicas collect it."""
    moment = current_slot(EVERY_S)
    store_reading(database, KIND, source.metric, source.value(moment), moment)


database = Database(max_size=2)
app: FastAPI = service.create(KIND, database=database, repeat=[Repeat(collect, EVERY_S)])


@app.get("/current")
def current() -> dict[str, Any]:
    """The value of now."""
    moment = current_slot(EVERY_S)
    value = source.value(moment)
    return {"metric": source.metric, "unit": source.unit, "value": value, "observed_at": moment}


if __name__ == "__main__":
    service.serve(app, 8020)
