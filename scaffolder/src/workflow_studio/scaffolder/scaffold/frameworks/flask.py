"""Flask: the app is Python, its workflows are TypeScript beside it."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.frameworks._base import Framework

FLASK = Framework(
    id="flask",
    label="Flask",
    language="Python",
    gitignore=("node_modules/", ".env", ".swc/", ".well-known/workflow/", ".workflow-studio/"),
    app_dir="app",
    start="gunicorn --threads 8 app.main:app",
    package_folder="workflow_studio_app",
    npm_packages=("workflow",),
)
