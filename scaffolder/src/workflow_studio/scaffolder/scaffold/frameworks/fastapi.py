"""FastAPI: the app is Python, its workflows are TypeScript beside it."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.frameworks._base import Framework

FASTAPI = Framework(
    id="fastapi",
    label="FastAPI",
    language="Python",
    gitignore=("node_modules/", ".env", ".swc/", ".well-known/workflow/", ".workflow-studio/"),
    app_dir="app",
    start="uvicorn app.main:app",
    package_folder="workflow_studio_app",
    npm_packages=("workflow",),
)
