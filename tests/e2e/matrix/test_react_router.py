"""React Router: https://reactrouter.com. Its starters are on no registry; the app is its documented minimum."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter


class TestReactRouter(Checks):
    starter: ClassVar[Starter] = Starter(
        id="react-router",
        start=("node", ".output/server/index.mjs"),
        typecheck=("npm", "run", "typecheck"),
        node="22",
        dev=("npx", "react-router", "dev"),
    )
