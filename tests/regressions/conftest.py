"""The engine on both databases, and tests that are run once more without what guards them."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import prepared_app
from tests.template.conftest import rendered_package, template
from tests.worker.conftest import bare_place, place, place_of, postgres, postgres_place, sqlite_template
from tests.worker.engine.conftest import after_crash, clock, database, engine, helpers, manifest, world

__all__ = [
    "after_crash",
    "bare_place",
    "clock",
    "database",
    "engine",
    "guard",
    "helpers",
    "manifest",
    "place",
    "place_of",
    "postgres",
    "postgres_place",
    "prepared_app",
    "rendered_package",
    "sqlite_template",
    "template",
    "world",
]


@pytest.fixture(autouse=True)
def guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what guards the test, if it is run to see whether it can fail; see ``guards.guarded_by``."""
    remove = getattr(request, "param", None)
    if remove is not None:
        remove(monkeypatch)
