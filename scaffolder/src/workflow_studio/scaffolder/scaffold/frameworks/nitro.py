"""Nitro 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, Framework, ReadText

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = "3.0.260610-beta"


def _advice(_src: str, depends: Mapping[str, str], _read: ReadText) -> list[Advice]:
    if "nitropack" in depends and "nitro" not in depends:
        # Nitro 2 tree-shakes the step registrations out of the bundle: every run fails with StepNotRegisteredError.
        why = "nitropack is Nitro 2, which drops the Workflow SDK's steps from the build: move to Nitro 3"
        return [Advice(why, "package.json", f'"nitro": "{_VERSION}"')]
    return []


NITRO = Framework(
    id="nitro",
    label="Nitro",
    config_stem="nitro.config",
    new_config=(
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
    wrappers=(Wrapper(Symbol("withWorkflowStudioNitro", "workflow-studio/nitro"), takes_functions=False),),
    items={"modules": ArrayItem("workflow/nitro")},
    snippet="""import { withWorkflowStudioNitro } from "workflow-studio/nitro";

export default withWorkflowStudioNitro(
  defineConfig({
    modules: ["workflow/nitro"],
  }),
);""",
    gitignore=(".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    app_dir="server",
    packages={"nitro": _VERSION, "rollup": "4.68.7"},
    start="node .output/server/index.mjs",
    advice=_advice,
)
