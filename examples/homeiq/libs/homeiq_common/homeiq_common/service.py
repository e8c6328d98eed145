"""The shell around every web service: start and stop, /health, /version, logging, graceful shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException

from homeiq_common import logs, settings
from homeiq_common.database import Database
from homeiq_common.workers import Repeat


def create(
    name: str,
    *,
    database: Database | None = None,
    repeat: Sequence[Repeat] = (),
    tasks: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
    ready: Callable[[], None] | None = None,
) -> FastAPI:
    """An application with /health and /version.

    `database`, `repeat` and `tasks` (endless coroutines) begin and end with the service; `ready` raises while
    it can't serve yet.
    """
    log = logs.configure(name)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if database:
            database.open()
        for worker in repeat:
            worker.start()
        running = [asyncio.create_task(task()) for task in tasks]
        log.info("started, version %s", settings.VERSION)
        yield
        log.info("stopping")
        for task in running:
            task.cancel()
        for worker in repeat:
            await asyncio.to_thread(worker.stop)
        if database:
            await asyncio.to_thread(database.close)
        log.info("stopped")

    app = FastAPI(title=name, version=settings.VERSION, lifespan=lifespan)

    @app.get("/health")
    def health() -> dict[str, str]:
        try:
            if ready:
                ready()
            if database:
                database.ping()
        except Exception as error:
            raise HTTPException(503, f"{type(error).__name__}: {error}") from error
        return {"status": "healthy", "service": name, "version": settings.VERSION}

    @app.get("/version")
    def version() -> dict[str, str]:
        return {"service": name, "version": settings.VERSION}

    return app


def serve(app: FastAPI, port: int) -> None:
    """Run until SIGTERM; then answer what is in flight before leaving."""
    uvicorn.run(
        app,
        host="0.0.0.0",
        port=int(settings.number("PORT", port)),
        log_config=None,
        timeout_graceful_shutdown=int(settings.number("GRACEFUL_SECONDS", 20)),
    )
