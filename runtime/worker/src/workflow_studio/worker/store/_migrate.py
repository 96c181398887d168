"""Brings the schema from one version to another.

Alembic is imported only when there is something to migrate: a worker starts faster without it.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import Column, MetaData, String, Table, inspect, select

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store.errors import StoreVersionError
from workflow_studio.worker.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

HEAD: Final = "0005"
"""The newest revision, which is what ``store.tables`` describes."""

_VERSION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing, all of them or none; an empty database gets the tables as they are now.

    Raises:
        StoreVersionError: If the database has a revision that this worker does not know.
    """
    with engine.connect() as connection:
        known = inspect(connection).get_table_names()
        current = connection.execute(select(_VERSION.c.version_num)).scalar() if _VERSION.name in known else None
        if current == HEAD:
            return
    if not known:
        _create(engine)
    else:
        _migrate(engine, "upgrade", "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Take the migrations after ``revision`` back; ``base`` takes all of them back."""
    _migrate(engine, "downgrade", revision)


def config() -> Config:
    """Return Alembic's configuration."""
    from alembic.config import Config  # noqa: PLC0415  # see above

    made = Config()
    # Alembic's configuration treats % as the start of an interpolation.
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def _create(engine: Engine) -> None:
    with _transaction(engine) as connection:
        metadata.create_all(connection)
        _VERSION.create(connection)
        connection.execute(_VERSION.insert().values(version_num=HEAD))


def _migrate(engine: Engine, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    from alembic import command  # noqa: PLC0415  # see above
    from alembic.util import CommandError  # noqa: PLC0415

    made = config()
    with _transaction(engine) as connection:
        # Alembic joins the transaction that it finds begun; otherwise it would commit as it goes.
        made.attributes["connection"] = connection
        try:
            getattr(command, direction)(made, revision)
        except CommandError as error:
            raise StoreVersionError(
                f"The database has a schema that this worker does not know: {error}",
                "Run the worker version that wrote it, or a newer one.",
            ) from error


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "sqlite":
            _sqlite.begin_write(connection)
        yield connection
