"""Django: the project is Python, its workflows are TypeScript beside it."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.frameworks._base import Framework

DJANGO = Framework(
    id="django",
    label="Django",
    language="Python",
    gitignore=("node_modules/", ".env", ".swc/", ".well-known/workflow/", ".workflow-studio/"),
    app_dir="orders",
    start="uvicorn config.asgi:application",
    package_folder="workflow_studio_app",
    npm_packages=("workflow",),
)
