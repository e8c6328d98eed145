"""How the stack is doing: asks every service for its health, all at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException

from homeiq_common import service, settings

SERVICES = settings.pairs("SERVICES")  # name=address, ...
TIMEOUT_S = settings.number("PROBE_TIMEOUT_SECONDS", 3)

app: FastAPI = service.create("admin-api")


async def probe(client: httpx.AsyncClient, name: str, address: str) -> dict[str, Any]:
    """One service's own answer, and how long it took. A service that is down is a result, not an error."""
    started = time.monotonic()
    try:
        answer = await client.get(f"{address}/health")
        healthy, detail = answer.status_code == 200, answer.json()
    except (httpx.HTTPError, ValueError) as error:
        healthy, detail = False, {"detail": f"{type(error).__name__}: {error}"}
    milliseconds = round((time.monotonic() - started) * 1000)
    return {"service": name, "healthy": healthy, "milliseconds": milliseconds, **detail}


@app.get("/services")
async def services() -> dict[str, Any]:
    """All services, with a count of the healthy ones."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        found = await asyncio.gather(*(probe(client, name, address) for name, address in SERVICES.items()))
    return {"healthy": sum(result["healthy"] for result in found), "total": len(found), "services": found}


@app.get("/services/{name}")
async def one(name: str) -> dict[str, Any]:
    """One service."""
    if name not in SERVICES:
        raise HTTPException(404, f"unknown service {name}; known are: {', '.join(sorted(SERVICES))}")
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        return await probe(client, name, SERVICES[name])


if __name__ == "__main__":
    service.serve(app, 8004)
