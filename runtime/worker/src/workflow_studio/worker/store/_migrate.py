"""Brings the schema from one version to another.

A revision is additive, or it is not; its module says which. Workers of the revision before an additive one can go on
beside those of the new one: it only adds tables, indexes, and columns that an insert may leave out. So a service is
upgraded one worker after the other. Which workers the schema still serves is kept in the database itself, because an
old worker knows nothing of the revisions after its own. A revision that is not additive waits until no other worker
uses the database.

Alembic is imported only when there is something to migrate: a worker starts faster without it.
"""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Column, MetaData, String, Table, delete, insert, inspect, select, text

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store.errors import StoreLockedError, StoreVersionError
from workflow_studio.worker.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

_LOG: Final = logging.getLogger(__name__)
HEAD: Final = "0009"
"""The newest revision, which is what ``store.tables`` describes."""

SERVES: Final = "0007"
"""The oldest revision whose workers can use the schema of :data:`HEAD`."""

COPYING: Final = "copying"
"""Stands in place of a revision while a database is being filled from another one. No worker starts on it."""

VERSION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
SERVED: Final = Table("schema_serves", MetaData(), Column("revision", String(32), primary_key=True))
"""Holds the oldest revision whose workers can use the schema. Like the other it is no part of the schema."""

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('workflow-studio schema ' || current_schema(), 0))")


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a database.

    Attributes:
        revision: None if there is no schema.
        serves: The oldest revision whose workers can use it, if the database says so.
    """

    revision: str | None = None
    serves: str | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether this worker knows migrations that it does not have."""
        return self.revision is not None and self.revision < HEAD

    def check(self) -> None:
        """Make sure that this worker can use the schema, at least once it is upgraded.

        Raises:
            StoreVersionError: It cannot.
        """
        if self.revision == COPYING:
            raise StoreVersionError(
                "The database is an unfinished copy of another one.",
                "Run the same `studio db copy` again: it goes on where it ended.",
            )
        if self.revision is None or self.revision <= HEAD:
            return
        if self.serves is None or self.serves > HEAD:
            raise StoreVersionError(
                f"The database has the schema {self.revision}, which this worker does not know: it knows {HEAD}.",
                "Run the worker version that wrote it, or a newer one.",
            )


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration that a database does not have yet.

    Attributes:
        revision: What it leads to.
        title: What it does, in a line.
        is_additive: Whether workers of the revision before may go on meanwhile and afterwards.
    """

    revision: str
    title: str
    is_additive: bool


def upgrade(engine: Engine, *, is_alone: Callable[[], bool] = lambda: True) -> None:
    """Apply the migrations that are missing, all of them or none; an empty database gets the tables as they are now.

    Of several workers that do so at the same time one migrates, and the others wait for it.

    Args:
        engine: The database.
        is_alone: Tells whether nobody else uses the database, and keeps it so until after the migration. It is asked
            only before a migration that is not additive.

    Raises:
        StoreVersionError: If this worker cannot use the schema.
        StoreLockedError: If a migration is not additive and another worker uses the database.
    """
    with engine.connect() as connection:
        schema = read_schema(connection)
    if _is_usable(schema):
        return
    with transaction(engine) as connection:
        schema = read_schema(connection)  # another worker may have been faster
        if _is_usable(schema):
            return
        if not inspect(connection).get_table_names():
            create_tables(connection)
            stamp(connection, HEAD, SERVES)
            return
        breaking = next((step for step in pending(schema) if not step.is_additive), None)
        if breaking is not None and not is_alone():
            raise StoreLockedError(
                f"The migration {breaking.revision} needs the database for itself, and another worker uses it.",
                "Stop the other workers first. Those of this version can be started at once afterwards.",
            )
        _migrate(connection, "upgrade", HEAD)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the migrations after ``revision`` back; ``base`` takes all of them back."""
    with transaction(engine) as connection:
        _migrate(connection, "downgrade", revision)


def read_schema(connection: Connection) -> Schema:
    """Return which schema a database has."""
    known = inspect(connection).get_table_names()
    if VERSION.name not in known:
        return Schema()
    revision = connection.execute(select(VERSION.c.version_num)).scalar()
    return Schema(revision, connection.execute(select(SERVED.c.revision)).scalar() if SERVED.name in known else None)


def pending(schema: Schema) -> list[Migration]:
    """Return the migrations that a database does not have yet, in the order they are applied in.

    Raises:
        StoreVersionError: If the revision is unknown.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # see above

    with _explained():
        scripts = list(ScriptDirectory.from_config(config()).iterate_revisions(HEAD, schema.revision or "base"))
    return [Migration(script.revision, script.doc, _is_additive(script.module)) for script in reversed(scripts)]


def statements(schema: Schema, dialect: str) -> str:
    """Return the SQL that upgrades a database, but for who is served then."""
    from alembic import command  # noqa: PLC0415  # see above

    written = io.StringIO()
    made = config(written)
    made.attributes["dialect"] = dialect
    with _explained():
        command.upgrade(made, f"{schema.revision or 'base'}:{HEAD}", sql=True)
    return written.getvalue().strip()


def served_by(revision: str) -> str:
    """Return the oldest revision whose workers can use the schema of a revision."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # see above

    for script in ScriptDirectory.from_config(config()).iterate_revisions(revision, "base"):
        if not _is_additive(script.module):
            return script.revision
    raise ValueError(f"The first revision cannot be additive: {revision}")


def config(output: io.StringIO | None = None) -> Config:
    """Return Alembic's configuration."""
    from alembic.config import Config  # noqa: PLC0415  # see above

    made = Config(output_buffer=output)
    # Alembic's configuration treats % as the start of an interpolation.
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def stamp(connection: Connection, revision: str, serves: str | None) -> None:
    """Write down which schema a database has."""
    connection.execute(delete(VERSION))
    connection.execute(insert(VERSION).values(version_num=revision))
    _say_who_is_served(connection, serves)


def create_tables(connection: Connection) -> None:
    """Make all tables as they are now, and an empty one for the revision."""
    metadata.create_all(connection)
    VERSION.create(connection)


def _is_usable(schema: Schema) -> bool:
    schema.check()
    if schema.revision is not None and schema.revision > HEAD:
        _LOG.info("The database has the schema %s; it serves this worker, too, which knows %s.", schema.revision, HEAD)
    return schema.revision is not None and not schema.is_outdated


def _migrate(connection: Connection, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    from alembic import command  # noqa: PLC0415  # see above

    made = config()
    # Alembic joins the transaction that it finds begun; otherwise it would commit as it goes.
    made.attributes["connection"] = connection
    with _explained():
        getattr(command, direction)(made, revision)
    _say_who_is_served(connection, None if revision == "base" else served_by(revision))


def _say_who_is_served(connection: Connection, serves: str | None) -> None:
    SERVED.create(connection, checkfirst=True)
    connection.execute(delete(SERVED))
    if serves is not None:
        connection.execute(insert(SERVED).values(revision=serves))


def _is_additive(module: Any) -> bool:
    additive: bool = module.additive
    return additive


@contextmanager
def _explained() -> Iterator[None]:
    from alembic.util import CommandError  # noqa: PLC0415  # see above

    try:
        yield
    except CommandError as error:
        raise StoreVersionError(
            f"The database has a schema that this worker does not know: {error}",
            "Run the worker version that wrote it, or a newer one.",
        ) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "sqlite":
            _sqlite.begin_write(connection)
        else:
            connection.execute(_LOCK)
        yield connection
