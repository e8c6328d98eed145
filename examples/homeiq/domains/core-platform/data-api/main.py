"""The stack's door to its data: readings and events in PostgreSQL, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Response

from homeiq_common import service, settings
from homeiq_common.database import Database, Row
from homeiq_common.records import Event, store_event

database = Database()
app: FastAPI = service.create("data-api", database=database)

Limit = Annotated[int, Query(ge=1, le=1000)]


@app.get("/readings")
def readings(limit: Limit = 50, device_id: str | None = None, metric: str | None = None) -> list[Row]:
    """The newest readings, of one device or metric if asked for."""
    return database.rows(
        "SELECT device_id, metric, value, observed_at FROM readings"
        " WHERE (%(device)s::text IS NULL OR device_id = %(device)s)"
        " AND (%(metric)s::text IS NULL OR metric = %(metric)s)"
        " ORDER BY observed_at DESC LIMIT %(limit)s",
        {"device": device_id, "metric": metric, "limit": limit},
    )


@app.get("/readings/latest")
def latest() -> list[Row]:
    """The newest value of every metric of every device."""
    return database.rows(
        "SELECT DISTINCT ON (device_id, metric) device_id, metric, value, observed_at FROM readings"
        " WHERE observed_at > now() - interval '10 minutes' ORDER BY device_id, metric, observed_at DESC"
    )


@app.get("/stats")
def stats() -> dict[str, Any]:
    """How much there is."""
    counts = database.row(
        "SELECT (SELECT count(*) FROM readings) AS readings, (SELECT count(*) FROM events) AS events,"
        " (SELECT count(*) FROM devices) AS devices,"
        " (SELECT max(observed_at) FROM readings) AS newest_reading"
    )
    return {**(counts or {}), "version": settings.VERSION}


@app.get("/events")
def events(limit: Limit = 20) -> list[Row]:
    """The newest events."""
    return database.rows(
        "SELECT id, type, source, payload, received_at FROM events ORDER BY received_at DESC LIMIT %s",
        (limit,),
    )


@app.get("/events/{event_id}")
def event(event_id: str) -> Row:
    """One event."""
    found = database.row(
        "SELECT id, type, source, payload, received_at FROM events WHERE id = %s", (event_id,)
    )
    if found is None:
        raise HTTPException(404, f"no event has the id {event_id}")
    return found


@app.post("/events")
def post_event(new: Event, response: Response) -> dict[str, Any]:
    """Store an event: 201 the first time, 200 when its id is known. Sending again is always safe."""
    created = store_event(database, new)
    response.status_code = 201 if created else 200
    return {"id": new.id, "created": created}


@app.get("/slow")
async def slow(seconds: Annotated[float, Query(ge=0, le=60)] = 3) -> dict[str, Any]:
    """A request that takes its time: what a drain must wait for."""
    await asyncio.sleep(seconds)
    return {"waited_s": seconds, "version": settings.VERSION}


if __name__ == "__main__":
    service.serve(app, 8006)
