"""A forecast of any metric. Slow to start, as services with a model are: not healthy before it is loaded."""

from __future__ import annotations

import math
import threading
import time
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query

from homeiq_common import service, settings
from homeiq_common.database import Database
from homeiq_common.workers import Repeat
from model import Model, train

LOAD_S = settings.number("MODEL_LOAD_SECONDS", 6)

database = Database()
loaded = threading.Event()
models: list[Model] = []


def load() -> None:
    """Train on a synthetic week, and take as long as a large model would."""
    if loaded.is_set():
        return
    started = time.monotonic()
    week = [20 + 3 * math.sin(2 * math.pi * hour / 24) for hour in range(7 * 24)]
    models.append(train(week))
    time.sleep(max(0.0, LOAD_S - (time.monotonic() - started)))
    loaded.set()


def ready() -> None:
    """Raises until the model is there."""
    if not loaded.is_set():
        raise RuntimeError("the model is loading")


app: FastAPI = service.create("ml-service", database=database, repeat=[Repeat(load, 3600)], ready=ready)


@app.get("/forecast")
def forecast(device_id: str, metric: str, steps: Annotated[int, Query(ge=1, le=100)] = 10) -> dict[str, Any]:
    """The next values of a metric, from its last 120."""
    if not loaded.is_set():
        raise HTTPException(503, "the model is loading")
    rows = database.rows(
        "SELECT value FROM readings WHERE device_id = %s AND metric = %s ORDER BY observed_at DESC LIMIT 120",
        (device_id, metric),
    )
    if len(rows) < 3:
        raise HTTPException(404, f"{device_id}/{metric} has {len(rows)} readings; a forecast needs 3")
    series = [row["value"] for row in reversed(rows)]
    values = [round(value, 2) for value in models[0].forecast(series, steps)]
    return {"device_id": device_id, "metric": metric, "based_on": len(series), "forecast": values}


if __name__ == "__main__":
    service.serve(app, 8020)
