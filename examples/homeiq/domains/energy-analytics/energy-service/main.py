"""What the house uses and what that costs: meter readings times the price of now."""

from __future__ import annotations

import os
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException

from homeiq_common import service
from homeiq_common.database import Database

PRICING_URL = os.environ.get("PRICING_URL", "http://electricity-pricing:8020")

database = Database()
app: FastAPI = service.create("energy-service", database=database)


@app.get("/energy/summary")
def summary() -> dict[str, Any]:
    """Energy of the last hour by meter (average power times the time it was seen), and its cost."""
    meters = database.rows(
        "SELECT device_id, avg(value) AS average_w,"
        " extract(epoch FROM max(observed_at) - min(observed_at))::float / 3600 AS hours"
        " FROM readings WHERE metric = 'power' AND observed_at > now() - interval '1 hour'"
        " GROUP BY device_id ORDER BY device_id"
    )
    for meter in meters:
        meter["kwh"] = round(meter["average_w"] / 1000 * meter["hours"], 6)
    try:
        price = httpx.get(f"{PRICING_URL}/current", timeout=5).raise_for_status().json()["value"]
    except httpx.HTTPError as error:
        raise HTTPException(503, f"electricity-pricing did not answer: {error}") from error
    total = sum(meter["kwh"] for meter in meters)
    return {"meters": meters, "kwh": round(total, 6), "price": price, "cost": round(total * price, 6)}


if __name__ == "__main__":
    service.serve(app, 8017)
