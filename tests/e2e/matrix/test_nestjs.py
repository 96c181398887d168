"""NestJS: https://docs.nestjs.com. Its starter makes ES modules on Express since 12, CommonJS before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

import httpx

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import run
from tests.support.releases import change

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support import App

START = ("node", "dist/main.js")
DEV = ("npm", "run", "start:dev")
NEW = ("--package-manager", "npm", "--skip-git", "--skip-install", "--strict")


def new_app(folder: Path) -> None:
    run("npx", "--yes", "@nestjs/cli@12.0.8", "new", "orders", "--directory", folder.name, *NEW, cwd=folder.parent)
    # What a form was before a parser read it is handed on by the team's own routes.
    change(folder / "src/main.ts", "NestFactory.create(AppModule)", "NestFactory.create(AppModule, { rawBody: true })")


def new_app_of_nest_11_on_fastify(folder: Path) -> None:
    run("npx", "--yes", "@nestjs/cli@11.0.13", "new", "orders", "--directory", folder.name, *NEW, cwd=folder.parent)
    run("npm", "pkg", "set", "dependencies.@nestjs/platform-fastify=^11.0.1", cwd=folder)


class NestChecks(Checks):
    """Nest's body parsers refuse JSON of more than 100 kB, and messages of the queue are a little larger than runs."""

    def test_a_run_with_large_arguments_begins(self, local: App) -> None:
        name = "x" * 95_000
        run_id = local.begin("tour", name, f"large-{uuid4()}")
        with httpx.stream("GET", f"{local.url}/api/stream", params={"id": run_id}, timeout=60) as stream:
            assert next(stream.iter_lines()) == f"hello {name}"


class TestNestjs(NestChecks):
    starter: ClassVar[Starter] = Starter(id="nestjs", make=new_app, workflows="src/workflows", start=START, dev=DEV)


class TestNestjsInCommonjsOnFastify(NestChecks):
    starter: ClassVar[Starter] = Starter(
        id="nestjs",
        name="nestjs-commonjs",
        make=new_app_of_nest_11_on_fastify,
        workflows="src/workflows",
        start=START,
        dev=DEV,
    )
