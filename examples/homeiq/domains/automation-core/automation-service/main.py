"""Rules of the house: when a measurement goes above a limit, an event says what to do."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from homeiq_common import service, settings
from homeiq_common.database import Database, Row
from homeiq_common.records import Event, store_event
from homeiq_common.workers import Repeat


class Automation(BaseModel):
    """When `metric` of `device_id` is above a limit, do `action`."""

    device_id: str
    metric: str
    above: float
    action: str
    enabled: bool = True


def evaluate() -> None:
    """Turn readings above their limit into events.

    The event's id has the reading's minute in it: a rule fires once a minute at most, whether one replica
    looks at it or two.
    """
    hits = database.rows(
        "SELECT DISTINCT ON (a.id) a.id, a.action, r.value, r.observed_at FROM automations a"
        " JOIN readings r USING (device_id, metric)"
        " WHERE a.enabled AND r.value > a.above AND r.observed_at > now() - interval '1 minute'"
        " ORDER BY a.id, r.observed_at DESC"
    )
    for hit in hits:
        payload = {"automation": hit["id"], "action": hit["action"], "value": hit["value"]}
        event_id = f"automation/{hit['id']}/{hit['observed_at']:%Y-%m-%dT%H:%M}"
        event = Event(id=event_id, type="automation", source="automation-service", payload=payload)
        store_event(database, event)


database = Database()
every = settings.number("EVALUATE_EVERY_SECONDS", 5)
app: FastAPI = service.create("automation-service", database=database, repeat=[Repeat(evaluate, every)])


@app.get("/automations")
def automations() -> list[Row]:
    """All rules."""
    return database.rows("SELECT id, device_id, metric, above, action, enabled FROM automations ORDER BY id")


@app.put("/automations/{automation_id}")
def put(automation_id: str, rule: Automation) -> dict[str, Any]:
    """Create or replace a rule."""
    database.execute(
        "INSERT INTO automations (id, device_id, metric, above, action, enabled)"
        " VALUES (%(id)s, %(device_id)s, %(metric)s, %(above)s, %(action)s, %(enabled)s)"
        " ON CONFLICT (id) DO UPDATE SET device_id = excluded.device_id, metric = excluded.metric,"
        " above = excluded.above, action = excluded.action, enabled = excluded.enabled",
        {"id": automation_id, **rule.model_dump()},
    )
    return {"id": automation_id, **rule.model_dump()}


@app.delete("/automations/{automation_id}", status_code=204)
def delete(automation_id: str) -> None:
    """Remove a rule."""
    if not database.execute("DELETE FROM automations WHERE id = %s", (automation_id,)):
        raise HTTPException(404, f"no automation has the id {automation_id}")


if __name__ == "__main__":
    service.serve(app, 8025)
