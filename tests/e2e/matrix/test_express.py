"""Express: https://expressjs.com. Its app is the minimum that its documentation shows."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.nitro_checks import NitroChecks
from tests.e2e.matrix.starter import Starter


class TestExpress(NitroChecks):
    """Nitro serves the app."""

    starter: ClassVar[Starter] = Starter(
        id="express", start=("node", ".output/server/index.mjs"), dev=("npx", "nitro", "dev")
    )


class TestExpressByItself(Checks):
    """The app listens, as it did before; the loader of Node.js makes its workflows."""

    starter: ClassVar[Starter] = Starter(
        id="express",
        name="express-node",
        start=("node", "--import", "workflow-studio/register", "src/main.ts"),
        dev=("node", "--watch", "--import", "workflow-studio/dev", "src/main.ts"),
    )
