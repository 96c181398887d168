"""Nitro 3, and Nitro 2 (nitropack). The starter is on no registry; the apps are the documented minimum."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter


class TestNitro(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nitro", start=("node", ".output/server/index.mjs"), dev=("npx", "nitro", "dev")
    )


class TestNitro2(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nitro", name="nitro2", start=("node", ".output/server/index.mjs"), dev=("npx", "nitropack", "dev")
    )
