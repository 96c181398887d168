from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.template.converters.servers import Shape, packages, put_servers, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.converters.servers import Server

NODE = Shape("node:http", "node.mjs", "")
PARSING = [
    Shape("Express behind body parsers", "express.mjs", "/parsed", parses=True),
    Shape("Fastify's handler", "fastify.mjs", "/parsed", parses=True),
    Shape("Fastify by hand", "fastify.mjs", "/parts", parses=True),
    Shape("Nest on Express", "nest.mjs", "/parsed", ("express",), parses=True),
    Shape("Nest with rawBody", "nest.mjs", "/parsed", ("express", "rawBody"), parses=True),
    Shape("Nest on Fastify", "nest.mjs", "/parsed", ("fastify",), parses=True),
    Shape("Next.js' Pages API", "next/server.mjs", "/api/parsed", parses=True, damages=True),
]
STREAMING = [
    Shape("Express", "express.mjs", "/raw"),
    Shape("a router of a mounted Express app", "express.mjs", "/mounted/router/inner"),
    Shape("Fastify's hook", "fastify.mjs", "/raw"),
    Shape("Nest's middleware", "nest.mjs", "/raw", ("express",)),
    Shape("Nest's middleware on Fastify", "nest.mjs", "/raw", ("fastify",)),
    Shape("Next.js' Pages API without its parser", "next/server.mjs", "/api/raw"),
    Shape("Vite's development server", "vite.mjs", "/raw"),
    Shape("Hono", "hono.mjs", "/raw", converts=True),
]


@pytest.fixture(scope="session")
def bare_servers(rendered_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The servers that need no package of others."""
    return put_servers(tmp_path_factory.mktemp("servers") / "app", rendered_package)


@pytest.fixture(scope="session")
def framework_servers(rendered_package: Path) -> Iterator[Path]:
    """The servers of all frameworks, in a folder that sees their packages."""
    with tempfile.TemporaryDirectory(dir=packages(), prefix="run-", ignore_cleanup_errors=True) as folder:
        yield put_servers(Path(folder) / "app", rendered_package)


@pytest.fixture(scope="package")
def servers(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, ...], Server]]:
    """The servers that run by now: two shapes that differ by the path share one."""
    started: dict[tuple[str, ...], Server] = {}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
def node_server(bare_servers: Path, servers: dict[tuple[str, ...], Server]) -> Server:
    """The server that is only ``node:http``."""
    key = (NODE.script, *NODE.arguments)
    if key not in servers:
        servers[key] = running(NODE, bare_servers)
    return servers[key]


@pytest.fixture
def server(shape: Shape, servers: dict[tuple[str, ...], Server], request: pytest.FixtureRequest) -> Server:
    """A server of the shape that the test is parametrized with."""
    key = (shape.script, *shape.arguments)
    if shape is NODE:
        node_server: Server = request.getfixturevalue("node_server")
        return node_server
    if key not in servers:
        servers[key] = running(shape, request.getfixturevalue("framework_servers"))
    return servers[key]
