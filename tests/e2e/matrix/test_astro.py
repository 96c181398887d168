"""Astro 7: https://astro.build. Its starter needs the internet; the app is its documented minimum with a server."""

from __future__ import annotations

from typing import ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter


class TestAstro(Checks):
    starter: ClassVar[Starter] = Starter(
        id="astro",
        start=("node", "dist/server/entry.mjs"),
        typecheck=("npx", "astro", "check"),
        workflows="src/workflows",
        node="22",
        dev=("npx", "astro", "dev"),
    )
