"""Events come in over a WebSocket (/ws) and are stored; everything new goes out live (/ws/live)."""

from __future__ import annotations

import asyncio
import logging

import psycopg
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from homeiq_common import service
from homeiq_common.database import Database
from homeiq_common.records import Event, store_event

WAITING_MESSAGES = 200  # per viewer; a slow one misses messages and never slows the others down

log = logging.getLogger("websocket-ingestion")
database = Database()
viewers: set[asyncio.Queue[str]] = set()


async def listen() -> None:
    """Pass PostgreSQL's notifications on to all viewers, whichever replica or service wrote the row."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect("", autocommit=True) as connection:
                await connection.execute("LISTEN live")
                async for notification in connection.notifies():
                    for viewer in viewers:
                        if not viewer.full():
                            viewer.put_nowait(notification.payload)
        except psycopg.Error as error:
            log.warning("lost the database, connecting again: %s", error)
            await asyncio.sleep(1)


app: FastAPI = service.create("websocket-ingestion", database=database, tasks=[listen])


@app.websocket("/ws")
async def ingest(socket: WebSocket) -> None:
    """One JSON event a message, one answer a message: stored, known already, or why not."""
    await socket.accept()
    try:
        while True:
            text = await socket.receive_text()
            try:
                event = Event.model_validate_json(text)
            except ValidationError as error:
                await socket.send_json({"error": "not an event", "detail": error.errors(include_url=False)})
                continue
            created = await asyncio.to_thread(store_event, database, event)
            await socket.send_json({"id": event.id, "created": created})
    except WebSocketDisconnect:
        pass


@app.websocket("/ws/live")
async def live(socket: WebSocket) -> None:
    """New readings and events as they are stored."""
    await socket.accept()
    viewer: asyncio.Queue[str] = asyncio.Queue(WAITING_MESSAGES)
    viewers.add(viewer)

    async def send() -> None:
        while True:
            await socket.send_text(await viewer.get())

    sender = asyncio.create_task(send())
    try:
        while True:  # a viewer has nothing to say; this is how its leaving is noticed
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        viewers.discard(viewer)
        sender.cancel()


if __name__ == "__main__":
    service.serve(app, 8001)
