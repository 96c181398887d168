"""React Router 8 and 7: https://reactrouter.com. Its starters are on no registry; the app is its documented minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.nitro_checks import NitroChecks
from tests.e2e.matrix.starter import APPS, Starter, copy_over

if TYPE_CHECKING:
    from pathlib import Path

START = ("node", ".output/server/index.mjs")
TYPECHECK = ("npm", "run", "typecheck")
DEV = ("npx", "react-router", "dev")


def same_app(folder: Path) -> None:
    copy_over(APPS / "react-router", folder)


class TestReactRouter(NitroChecks):
    starter: ClassVar[Starter] = Starter(id="react-router", start=START, typecheck=TYPECHECK, node="22", dev=DEV)


class TestReactRouter7(NitroChecks):
    """The same app on the release before, with the system's Node.js."""

    starter: ClassVar[Starter] = Starter(
        id="react-router", name="react-router-7", make=same_app, start=START, typecheck=TYPECHECK, dev=DEV
    )
