"""Databases of earlier versions, and a version that does not exist yet: this one with a migration more."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from workflow_studio.worker.store import _migrate, _sqlite

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.config import Config

REVISION = "9000"
_MODULE = '''
"""What a later version needs."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None
additive = {additive}


def upgrade():
    for table in ("runs", "steps", "events", "messages", "streams"):
        op.add_column(table, sa.Column("colour", sa.String(), nullable=False, server_default="grey"))
        op.add_column(table, sa.Column("remark", sa.String(), nullable=True))
    op.create_table("colours", sa.Column("name", sa.String(), nullable=False), sa.PrimaryKeyConstraint("name"))
    op.create_index("ix_messages_colour", "messages", ["colour"])


def downgrade():
    op.drop_index("ix_messages_colour", table_name="messages")
    op.drop_table("colours")
    for table in ("runs", "steps", "events", "messages", "streams"):
        op.drop_column(table, "remark")
        op.drop_column(table, "colour")
'''


@contextmanager
def newer_worker(folder: Path, *, additive: bool) -> Iterator[None]:
    """Have the code inside the block be that of the later version."""
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    module = _MODULE.format(revision=REVISION, head=_migrate.HEAD, additive=additive)
    (versions / f"{REVISION}_later.py").write_text(module)
    original = _migrate.config

    def config(output: io.StringIO | None = None) -> Config:
        made = original(output)
        here = made.get_main_option("script_location")
        made.set_main_option("version_locations", f"{here}/versions:{versions}")
        return made

    serves = _migrate.SERVES if additive else REVISION
    with (
        patch.object(_migrate, "config", config),
        patch.object(_migrate, "HEAD", REVISION),
        patch.object(_migrate, "SERVES", serves),
    ):
        yield


def old_database(path: Path, revision: str) -> None:
    """Make an SQLite database as a worker of an earlier version has made it."""
    path.parent.mkdir(exist_ok=True)
    engine = _sqlite.engine(path)
    with _migrate.transaction(engine) as connection:
        _migrate._migrate(connection, "upgrade", revision)
    engine.dispose()
