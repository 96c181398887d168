"""The databases that the store and the engine are tested on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import KINDS, PostgresPlace, SqlitePlace, make_template
from tests.support.postgres import postgres_server
from workflow_studio.worker.store import _sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.databases import Place

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """Run a PostgreSQL server; it need not survive a power cut."""
    with postgres_server("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off") as folder:
        yield folder


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of an SQLite database that has the schema and no rows."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres_place(postgres: Path) -> Iterator[PostgresPlace]:
    """Return the PostgreSQL database that all tests of the engine empty and use in turn."""
    place = PostgresPlace(postgres, "engine")
    yield place
    place.drop()


@pytest.fixture(scope="session")
def place_of(request: pytest.FixtureRequest, sqlite_template: Path) -> Callable[[str, Path], Place]:
    """Return a function that gives an empty database with the schema."""

    def give(kind: str, folder: Path) -> Place:
        if kind == "sqlite":
            return SqlitePlace(folder, template=sqlite_template)
        place: PostgresPlace = request.getfixturevalue("postgres_place")
        place.empty()
        return place

    return give


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, place_of: Callable[[str, Path], Place]) -> Place:
    """Return an empty database with the schema."""
    return place_of(request.param, tmp_path)


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a place where no worker has been: no tables yet."""
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path / "data")
        return
    place = PostgresPlace(request.getfixturevalue("postgres"), f"bare_{next(_NUMBERS)}")
    yield place
    place.drop()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Return a list that gets an item at every commit of an SQLite database."""
    made: list[Connection] = []
    commit = _sqlite.commit

    def counted(connection: Connection) -> None:
        made.append(connection)
        commit(connection)

    monkeypatch.setattr(_sqlite, "commit", counted)
    return made
