"""The devices of the house, and which of them have gone silent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

from homeiq_common import service
from homeiq_common.database import Database, Row


class Device(BaseModel):
    """What a person says about a device."""

    name: str
    room: str
    kind: str


database = Database()
app: FastAPI = service.create("device-registry", database=database)


@app.get("/devices")
def devices() -> list[Row]:
    """All devices, with the time of their last reading."""
    return database.rows(
        "SELECT d.id, d.name, d.room, d.kind, max(r.observed_at) AS last_seen FROM devices d"
        " LEFT JOIN readings r ON r.device_id = d.id GROUP BY d.id ORDER BY d.id"
    )


@app.get("/devices/silent")
def silent(seconds: Annotated[int, Query(ge=1)] = 60) -> list[Row]:
    """Devices without a reading in that time."""
    return database.rows(
        "SELECT d.id, d.name FROM devices d WHERE NOT EXISTS"
        " (SELECT 1 FROM readings r WHERE r.device_id = d.id"
        " AND r.observed_at > now() - make_interval(secs => %s)) ORDER BY d.id",
        (seconds,),
    )


@app.put("/devices/{device_id}")
def put(device_id: str, device: Device) -> dict[str, Any]:
    """Create or replace a device."""
    database.execute(
        "INSERT INTO devices (id, name, room, kind) VALUES (%(id)s, %(name)s, %(room)s, %(kind)s)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, room = excluded.room, kind = excluded.kind",
        {"id": device_id, **device.model_dump()},
    )
    return {"id": device_id, **device.model_dump()}


@app.delete("/devices/{device_id}", status_code=204)
def delete(device_id: str) -> None:
    """Remove a device; its readings stay."""
    if not database.execute("DELETE FROM devices WHERE id = %s", (device_id,)):
        raise HTTPException(404, f"no device has the id {device_id}")


if __name__ == "__main__":
    service.serve(app, 8020)
