"""Which frameworks run, and the session of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.dev.apps import prepared
from tests.e2e.dev.support import DevSession
from tests.support.rotation import part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.dev.support import DevApp

HERE = Path(__file__).parent
ROTATING = ("endings", "hono", "nextjs", "nitro", "sveltekit")
"""One of them runs in an ordinary run."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {f"test_{name}" for name in ROTATING} - {f"test_{name}" for name in part_of(ROTATING, 1)}
    others = [item for item in items if item.path.parent == HERE and item.path.stem in left_out]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="class")
def folder(request: pytest.FixtureRequest, prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app of a class of tests, with the workflows and the route that the tests edit."""
    app: DevApp = request.cls.app
    return app.copy(prepared(app, prepared_app), tmp_path_factory.mktemp("dev") / app.name)


@pytest.fixture(scope="class")
def session(request: pytest.FixtureRequest, folder: Path) -> Iterator[DevSession]:
    """A session in which the code is deployed and the app answers."""
    found = DevSession(request.cls.app, folder)
    try:
        found.start()
        yield found
    finally:
        found.close()
