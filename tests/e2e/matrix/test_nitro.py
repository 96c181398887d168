"""Nitro 3, and Nitro 2 (nitropack). The starter is on no registry; the apps are the documented minimum."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.nitro_checks import NitroChecks
from tests.e2e.matrix.starter import Starter


class TestNitro(NitroChecks):
    starter: ClassVar[Starter] = Starter(
        id="nitro", start=("node", ".output/server/index.mjs"), dev=("npx", "nitro", "dev")
    )


class TestNitro2(NitroChecks):
    starter: ClassVar[Starter] = Starter(
        id="nitro", name="nitro2", start=("node", ".output/server/index.mjs"), dev=("npx", "nitropack", "dev")
    )
