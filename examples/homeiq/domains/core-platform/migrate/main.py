"""Bring the database to the newest schema, once: apply the SQL files that it has not seen, in order.

Old and new release run side by side for a while, so a migration only adds (expand); what nobody uses any
more is removed by a later one (contract).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import psycopg

from homeiq_common import logs

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_401_852  # any number that nothing else in this database locks

log = logs.configure("migrate")


def migrate(connection: psycopg.Connection) -> int:
    """Apply what is missing; return how many files that were. Each is all or nothing."""
    # Two deploys at the same time: the second waits here and then finds nothing to do.
    connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (version text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = connection.execute("SELECT version, checksum FROM schema_migrations").fetchall()
    applied: dict[str, str] = dict(rows)
    count = 0
    for path in sorted(MIGRATIONS.glob("*.sql")):
        sql = path.read_bytes()
        checksum = hashlib.sha256(sql).hexdigest()
        known = applied.get(path.stem)
        if known == checksum:
            continue
        if known:
            raise SystemExit(f"{path.name} was changed after it was applied: add a new file instead")
        with connection.transaction():
            connection.execute(sql)
            connection.execute(
                "INSERT INTO schema_migrations (version, checksum) VALUES (%s, %s)", (path.stem, checksum)
            )
        log.info("applied %s", path.name)
        count += 1
    return count


def main() -> int:
    with psycopg.connect("", autocommit=True, connect_timeout=10) as connection:
        count = migrate(connection)
    log.info("%d migration(s) applied, the schema is current", count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
