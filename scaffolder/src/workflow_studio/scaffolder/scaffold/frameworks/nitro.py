"""Nitro 3, and Nitro 2 under its own name, nitropack."""

from __future__ import annotations

from typing import Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import ConfigFile, Framework, Pin

_VERSION: Final = "3.0.260610-beta"


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
    pins=(
        Pin(
            "nitro",
            _VERSION,
            "3.0.0 has no `defineConfig` in `nitro` and finds no routes; the betas from 3.0.260610 on do",
            accepts=r"[~^]?3\.0\.26\d{4}-beta",
            unless=("nitropack", "nitro-nightly"),
        ),
    ),
    packages={"nitro": _VERSION, "rollup": "4.68.7"},
    gitignore=(".nitro/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
)
