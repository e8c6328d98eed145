"""Keeps PostgreSQL small: readings become one row a minute in an SQLite archive, then the old ones go.

SQLite on a volume has exactly one writer. A lock on a file makes sure of it: a second instance refuses to
start, so whoever updates this service must stop the old one first.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from homeiq_common import service, settings
from homeiq_common.database import Database
from homeiq_common.workers import Repeat

DATA = Path(os.environ.get("DATA_DIRECTORY", "/data"))
KEEP_MINUTES = settings.number("KEEP_MINUTES", 60)
EVERY_S = settings.number("RUN_EVERY_SECONDS", 15)
TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h: try again later


def lock_volume() -> int:
    """Become the only writer, or leave. The kernel lets go of the lock when this process ends, however."""
    lock = os.open(DATA / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 200).decode() or "unknown"
        print(f"refusing to start: {DATA} has a writer already ({holder})", file=sys.stderr)
        sys.exit(TEMPORARY_FAILURE)
    os.truncate(lock, 0)
    os.pwrite(lock, socket.gethostname().encode(), 0)
    return lock


@contextmanager
def archive() -> Iterator[sqlite3.Connection]:
    """The archive file, with its tables; one transaction."""
    connection = sqlite3.connect(DATA / "archive.sqlite", timeout=10)
    connection.executescript(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE IF NOT EXISTS minutes (device_id TEXT, metric TEXT, minute TEXT, samples INTEGER,"
        " average REAL, lowest REAL, highest REAL, PRIMARY KEY (device_id, metric, minute));"
        "CREATE TABLE IF NOT EXISTS runs (at TEXT, writer TEXT, archived INTEGER, deleted INTEGER);"
    )
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def run() -> dict[str, int]:
    """One round. A minute that is archived again replaces its row, whose numbers are now more complete."""
    minutes = database.rows(
        "SELECT device_id, metric, count(*) AS samples,"
        " to_char(date_trunc('minute', observed_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS minute,"
        " avg(value) AS average, min(value) AS lowest, max(value) AS highest"
        " FROM readings GROUP BY device_id, metric, minute"
    )
    with archive() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO minutes VALUES"
            " (:device_id, :metric, :minute, :samples, :average, :lowest, :highest)",
            minutes,
        )
    # Whole minutes only: half a minute that is deleted could not be counted again.
    deleted = database.execute(
        "DELETE FROM readings WHERE observed_at < date_trunc('minute', now() - make_interval(mins => %s))",
        (int(KEEP_MINUTES),),
    )
    with archive() as connection:
        row = (datetime.now(timezone.utc).isoformat(), socket.gethostname(), len(minutes), deleted)
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row)
    return {"archived_minutes": len(minutes), "deleted_readings": deleted}


database = Database()
app: FastAPI = service.create("data-retention", database=database, repeat=[Repeat(run, EVERY_S)])


@app.post("/runs")
def run_now() -> dict[str, int]:
    """A round right now."""
    return run()


@app.get("/archive")
def summary() -> dict[str, Any]:
    """What the archive holds, and who has ever written to it."""
    with archive() as connection:
        minutes, samples = connection.execute("SELECT count(*), total(samples) FROM minutes").fetchone()
        runs, writers = connection.execute("SELECT count(*), count(DISTINCT writer) FROM runs").fetchone()
    this = socket.gethostname()
    return {"minutes": minutes, "samples": int(samples), "runs": runs, "writers": writers, "writer": this}


if __name__ == "__main__":
    lock_volume()
    service.serve(app, 8020)
