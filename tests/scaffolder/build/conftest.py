"""An app with a Workflow SDK that is installed the way npm does it, but makes its bundles in a moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ORDER = "workflow//./workflows/order//order"
CHARGE = "step//./workflows/order//charge"
MANIFEST = {
    "version": "1.0.0",
    "workflows": {"workflows/order.ts": {"order": {"workflowId": ORDER, "graph": {"nodes": [], "edges": []}}}},
    "steps": {"workflows/order.ts": {"charge": {"stepId": CHARGE}}},
    "classes": {},
}
BUNDLES = {
    "flow.js": f"exports.POST = () => '{ORDER}';\n",
    "step.js": f"exports.POST = () => '{CHARGE}';\n",
    "webhook.js": "import { resumeWebhook } from 'workflow/api';\nexport const POST = resumeWebhook;\n",
    "manifest.json": json.dumps(MANIFEST),
}

# What the SDK's command does, as far as the app's folder is concerned.
COMMAND = """
const fs = require('node:fs');
const path = require('node:path');
const plan = JSON.parse(fs.readFileSync(path.join(__dirname, 'plan.json'), 'utf8'));
console.log(plan.says);
if (process.argv[2] !== 'build' || plan.status) process.exit(plan.status || 64);
if (process.env.WORKFLOW_TARGET_WORLD) require(process.env.WORKFLOW_TARGET_WORLD);
const folder = path.join(process.env.WORKFLOW_OBSERVABILITY_CWD || process.cwd(), '.well-known/workflow/v1');
fs.mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(plan.bundles)) {
  fs.writeFileSync(path.join(folder, name), text.replaceAll('<cwd>', process.cwd()));
}
fs.writeFileSync(path.join(folder, 'step.js.debug.json'), JSON.stringify([process.cwd()]));
"""
ESBUILD = """
exports.build = async (options) => {
  require('node:fs').writeFileSync(options.outfile, 'bundled ' + options.stdin.sourcefile + ' as ' + options.format);
  return { errors: [] };
};
"""


@dataclass
class StubApp:
    """An app's folder."""

    folder: Path

    def plan(self, **changes: Any) -> None:
        """Say what the SDK does: ``bundles`` (merged), ``says`` (printed), ``status`` (of the exit)."""
        bundles = {**BUNDLES, **changes.pop("bundles", {})}
        kept = {name: text for name, text in bundles.items() if text is not None}
        plan = {"says": "Building", "status": 0, **changes, "bundles": kept}
        (self.folder / "node_modules/workflow/bin/plan.json").write_text(json.dumps(plan))

    def package(self, name: str, version: str, **members: Any) -> Path:
        folder = self.folder / "node_modules" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": version, **members}))
        return folder

    def files(self) -> set[str]:
        """Every file outside of node_modules and of our own folder."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] not in {"node_modules", ".workflow-studio"}}


def make_stub_app(folder: Path) -> StubApp:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"workflow": "4.8.9"}}))
    app = StubApp(folder)
    sdk = app.package("workflow", "4.8.9", bin={"workflow": "./bin/run.cjs"}, exports={".": "./index.js"})
    (sdk / "bin").mkdir()
    (sdk / "bin/run.cjs").write_text(COMMAND)
    app.package("@workflow/core", "4.8.9")
    app.package("@workflow/cli", "4.3.13")
    app.package("@workflow/builders", "4.1.0")
    (app.package("esbuild", "0.28.2", main="main.cjs") / "main.cjs").write_text(ESBUILD)
    app.plan()
    return app


@pytest.fixture
def app(tmp_path: Path) -> StubApp:
    return make_stub_app(tmp_path / "app")
