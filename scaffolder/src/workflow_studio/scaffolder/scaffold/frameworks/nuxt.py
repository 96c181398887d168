"""Nuxt 4, which builds its server with Nitro 2."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import ConfigFile, Framework

_CONFIG = ConfigFile(
    stem="nuxt.config",
    new=(
        "nuxt.config.ts",
        """import { withWorkflowStudioNuxt } from 'workflow-studio/nuxt';

export default withWorkflowStudioNuxt(
  defineNuxtConfig({
    modules: ['workflow/nuxt'],
  }),
);
""",
    ),
    edits=(
        ArrayItem("modules", "workflow/nuxt"),
        Wrap((Wrapper(Symbol("withWorkflowStudioNuxt", "workflow-studio/nuxt"), takes_functions=False),)),
    ),
    snippet="""import { withWorkflowStudioNuxt } from 'workflow-studio/nuxt';

export default withWorkflowStudioNuxt(
  defineNuxtConfig({
    modules: ['workflow/nuxt'],
  }),
);""",
)

NUXT = Framework(
    id="nuxt",
    label="Nuxt",
    app_dir="server",
    src_dir="",
    start="node .output/server/index.mjs",
    configs=(_CONFIG,),
    packages={"nuxt": "4.5.2", "vue": "3.5.45", "vue-router": "5.5.1"},
    editor_plugin=False,
    gitignore=(".nuxt/", ".output/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
)
