"""The databases that the worker's tests run on: each test once per kind, on an empty one."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tests.support.postgres import database_url
from workflow_studio.worker.store import Database
from workflow_studio.worker.store.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("sqlite", "postgresql")


class SqlitePlace:
    """A folder with a database in it."""

    kind = "sqlite"

    def __init__(self, folder: Path, *, template: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.location = str(folder / "worker.db")
        self._template = template
        self._crashes = 0
        self.empty()

    def open(self) -> Database:
        """Open it, as a worker does."""
        return Database.open(self.location)

    def empty(self) -> None:
        """Have it hold nothing. Copying a database with the schema is faster than making one."""
        if self._template is not None:
            for file in self.folder.glob("worker.db*"):
                file.unlink()
            shutil.copy(self._template, self.location)

    def crash(self) -> Database:
        """Return what ``kill -9`` leaves: a copy of the files as they are, nothing closed, nothing checkpointed."""
        self._crashes += 1
        left = self.folder / f"crash{self._crashes}"
        left.mkdir()
        for file in self.folder.glob("worker.db*"):
            if not file.name.endswith((".lock", "-shm")):
                shutil.copy(file, left / file.name)
        return Database.open(left / "worker.db")

    def content(self) -> bytes:
        """Return all that is stored."""
        return b"".join(file.read_bytes() for file in self.folder.glob("worker.db*"))


class PostgresPlace:
    """A database of a server of the tests' own."""

    kind = "postgresql"

    def __init__(self, server: Path, name: str) -> None:
        self._admin = psycopg.connect(database_url(server), autocommit=True)
        self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._name = name
        self.location = database_url(server, name)

    def open(self) -> Database:
        """Open it, as a worker does."""
        return Database.open(self.location)

    def empty(self) -> None:
        """Delete all rows, which is faster than making the tables again."""
        with psycopg.connect(self.location) as connection:
            if connection.execute("SELECT to_regclass('settings')").fetchone() != (None,):
                connection.execute("; ".join(f"DELETE FROM {table}" for table in reversed(metadata.sorted_tables)))

    def crash(self) -> Database:
        """End the worker's sessions, as the server does when the worker is killed, and open the database again."""
        self._end_sessions()
        return self.open()

    def _end_sessions(self) -> None:
        self._admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (self._name,)
        )

    def content(self) -> bytes:
        """Return all that is stored."""
        with psycopg.connect(self.location) as connection:
            rows = [
                row
                for table in metadata.sorted_tables
                for row in connection.execute(f"SELECT * FROM {table}").fetchall()
            ]
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)

    def drop(self) -> None:
        """Remove it."""
        self._end_sessions()
        self._admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(self._name)))
        self._admin.close()


Place = SqlitePlace | PostgresPlace


def make_template(folder: Path) -> Path:
    """Return the path of an SQLite database that has the schema and no rows."""
    path = folder / "worker.db"
    asyncio.run(Database.open(path).close())
    return path
