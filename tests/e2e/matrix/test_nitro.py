"""Nitro 3: https://nitro.build. Its starter is on no registry; the app is its documented minimum."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter


class TestNitro(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nitro", start=("node", ".output/server/index.mjs"), dev=("npx", "nitro", "dev")
    )
