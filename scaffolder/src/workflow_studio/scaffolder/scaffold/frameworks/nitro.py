"""Nitro 3."""

from __future__ import annotations

from typing import Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework

_VERSION: Final = "3.0.260610-beta"


def _advice(app: App) -> list[Advice]:
    if "nitropack" in app.depends and "nitro" not in app.depends:
        # Nitro 2 tree-shakes the step registrations out of the bundle: every run fails with StepNotRegisteredError.
        why = "nitropack is Nitro 2, which drops the Workflow SDK's steps from the build: move to Nitro 3"
        return [Advice(why, "package.json", f'"nitro": "{_VERSION}"')]
    return []


_CONFIG = ConfigFile(
    stem="nitro.config",
    new=(
        "nitro.config.ts",
        """import { defineConfig } from "nitro";
import { withWorkflowStudioNitro } from "workflow-studio/nitro";

export default withWorkflowStudioNitro(
  defineConfig({
    serverDir: "./server",
    modules: ["workflow/nitro"],
  }),
);
""",
    ),
    edits=(
        ArrayItem("modules", "workflow/nitro"),
        Wrap((Wrapper(Symbol("withWorkflowStudioNitro", "workflow-studio/nitro"), takes_functions=False),)),
    ),
    snippet="""import { withWorkflowStudioNitro } from "workflow-studio/nitro";

export default withWorkflowStudioNitro(
  defineConfig({
    modules: ["workflow/nitro"],
  }),
);""",
)

NITRO = Framework(
    id="nitro",
    label="Nitro",
    app_dir="server",
    src_dir="",
    start="node .output/server/index.mjs",
    configs=(_CONFIG,),
    packages={"nitro": _VERSION, "rollup": "4.68.7"},
    gitignore=(".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    advice=_advice,
)
