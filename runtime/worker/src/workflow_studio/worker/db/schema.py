"""The schema of the database: what there is, what is missing, and the upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_studio.worker.store import StoreVersionError, maintenance
from workflow_studio.worker.store.database import is_postgres
from workflow_studio.worker.store.inspection import look_at

if TYPE_CHECKING:
    from pathlib import Path


def current(location: str | Path) -> dict[str, Any]:
    """Return what is in a database, and what this version makes of it.

    ``status`` is ``empty``, ``current``, ``outdated``, ``newer`` (and this version can go on with it) or ``refused``.
    """
    state = look_at(location)
    document: dict[str, Any] = {
        "database": "postgresql" if is_postgres(location) else "sqlite",
        "schema": state.revision,
        "serves": state.serves,
        "knows": maintenance.HEAD,
        "inUse": state.in_use,
        "pending": [],
    }
    try:
        state.schema.check()
    except StoreVersionError as error:
        return document | {"status": "refused", "reason": error.message, "hint": error.recovery}
    if state.revision is None:
        return document | {"status": "empty"}
    if not state.outdated:
        return document | {"status": "current" if state.revision == maintenance.HEAD else "newer"}
    document["pending"] = [
        {"revision": step.revision, "title": step.title, "additive": step.is_additive}
        for step in maintenance.pending(state.schema)
    ]
    return document | {"status": "outdated"}


def statements(location: str | Path) -> str:
    """Return the SQL of an upgrade."""
    schema = look_at(location).schema
    schema.check()
    if schema.revision is not None and not schema.is_outdated:
        return ""
    return maintenance.statements(schema, "postgresql" if is_postgres(location) else "sqlite")


def upgrade(location: str | Path) -> dict[str, Any]:
    """Upgrade a database, and return what was done."""
    before = current(location)
    maintenance.upgrade(location)
    after = current(location)
    return after | {"from": before["schema"], "applied": before["pending"]}
