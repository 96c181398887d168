"""Express."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import Symbol
from workflow_studio.scaffolder.scaffold.frameworks._servers import Server

EXPRESS = Server(
    id="express",
    label="Express",
    makers=(Symbol("default", "express"),),
    snippet="const app = withWorkflowStudioExpress(express());",
    packages={"express": "5.3.0"},
).framework()
