"""Hono."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import Symbol
from workflow_studio.scaffolder.scaffold.frameworks._servers import Server

HONO = Server(
    id="hono",
    label="Hono",
    makers=(Symbol("Hono", "hono"),),
    snippet="const app = withWorkflowStudioHono(new Hono());",
    packages={"hono": "4.13.19"},
).framework()
