"""Fastify."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import Symbol
from workflow_studio.scaffolder.scaffold.frameworks._servers import Server

FASTIFY = Server(
    id="fastify",
    label="Fastify",
    makers=(Symbol("default", "fastify"), Symbol("fastify", "fastify")),
    snippet="const app = withWorkflowStudioFastify(fastify());",
    packages={"fastify": "5.12.8"},
).framework()
