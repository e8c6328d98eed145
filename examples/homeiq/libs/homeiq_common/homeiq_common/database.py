"""PostgreSQL behind three verbs. Where it is and who asks comes from libpq's own PG* variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

Row = dict[str, Any]
Parameters = Sequence[Any] | Mapping[str, Any]


class Database:
    """A small pool: an overlap of two releases doubles its connections, and PostgreSQL allows 100."""

    def __init__(self, max_size: int = 4) -> None:
        self._pool: ConnectionPool[Connection[Row]] = ConnectionPool(
            # An empty connection string: libpq reads PGHOST, PGUSER, PGPASSWORD and PGDATABASE.
            "",
            connection_class=Connection[Row],
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=max_size,
            timeout=5,
            # A restart of PostgreSQL costs a reconnect, not an error.
            check=ConnectionPool.check_connection,
            open=False,
        )

    def open(self) -> None:
        """Start connecting in the background: a service may start before its database."""
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        with self._pool.connection() as connection:
            return connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, if there is one."""
        with self._pool.connection() as connection:
            return connection.execute(sql, parameters).fetchone()

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; return how many rows it touched."""
        with self._pool.connection() as connection:
            return connection.execute(sql, parameters).rowcount

    def ping(self) -> None:
        """Raise if the database does not answer."""
        self.row("SELECT 1")
