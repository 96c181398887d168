"""Nuxt 4: https://nuxt.com. Its starter is fetched from GitHub; the app is its documented minimum."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter


class TestNuxt(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nuxt",
        start=("node", ".output/server/index.mjs"),
        typecheck=("npx", "nuxt", "typecheck"),
        workflows="server/workflows",
        node="22",
        dev=("npx", "nuxt", "dev"),
    )
