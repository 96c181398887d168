"""Brings the schema from one version to another."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store.errors import StoreVersionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing, all of them or none.

    Raises:
        StoreVersionError: If the database has a revision that this worker does not know.
    """
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != _head():
        _migrate(engine, "head", command.upgrade)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the migrations after ``revision`` back; ``base`` takes all of them back."""
    _migrate(engine, revision, command.downgrade)


def _config() -> Config:
    config = Config()
    # Alembic's configuration treats % as the start of an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _migrate(engine: Engine, revision: str, action: Callable[[Config, str], None]) -> None:
    config = _config()
    # Alembic joins the transaction that it finds begun; otherwise it would commit as it goes.
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        _sqlite.begin_write(connection)
        try:
            action(config, revision)
        except CommandError as error:
            raise StoreVersionError(
                f"The database has a schema that this worker does not know: {error}",
                "Run the worker version that wrote it, or a newer one.",
            ) from error
