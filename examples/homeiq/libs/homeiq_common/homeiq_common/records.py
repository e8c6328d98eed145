"""The two kinds of records that flow through the stack. Writing one twice never counts it twice."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from pydantic import BaseModel, Field

from homeiq_common.database import Database


class Event(BaseModel):
    """Something that happened. The sender chooses the id, so it may send again when in doubt."""

    id: str = Field(min_length=1, max_length=200)
    type: str = Field(min_length=1, max_length=100)
    source: str = "unknown"
    payload: dict[str, Any] = Field(default_factory=dict)


def store_event(database: Database, event: Event) -> bool:
    """Store an event once; False means that it was there already."""
    stored = database.execute(
        "INSERT INTO events (id, type, source, payload) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (event.id, event.type, event.source, json.dumps(event.payload)),
    )
    return stored == 1


def store_reading(
    database: Database, device_id: str, metric: str, value: float, observed_at: datetime
) -> bool:
    """Store a measurement once; its key is what was measured and when."""
    stored = database.execute(
        "INSERT INTO readings (device_id, metric, value, observed_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (device_id, metric, value, observed_at),
    )
    return stored == 1


def current_slot(seconds: float) -> datetime:
    """Now, rounded down to a multiple of `seconds`.

    Two replicas that measure in the same slot then produce the same key, and so one record: while a new
    release takes over from the old one, both are running for some seconds.
    """
    now = datetime.now(timezone.utc).timestamp()
    return datetime.fromtimestamp(now - now % seconds, timezone.utc)
