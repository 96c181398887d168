"""SvelteKit with Vite."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Call, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework


def _advice(app: App) -> list[Advice]:
    if "@sveltejs/adapter-auto" in app.depends and "@sveltejs/adapter-node" not in app.depends:
        why = "adapter-auto makes no server to run yourself: @sveltejs/adapter-node does (5 for Kit 2, 6 for Kit 3)"
        return [Advice(why, "package.json")]
    return []


NEW_CONFIG = """import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { workflowPlugin } from 'workflow/sveltekit';
import { withWorkflowStudioSvelteKit } from 'workflow-studio/sveltekit';

export default await withWorkflowStudioSvelteKit(
\tdefineConfig({
\t\tplugins: [sveltekit(), workflowPlugin()]
\t})
);
"""

_CONFIG = ConfigFile(
    stem="vite.config",
    new=("vite.config.ts", NEW_CONFIG),
    edits=(
        # Behind sveltekit(): the plugin looks for its routes (source: @workflow/sveltekit 4.8.9).
        ArrayItem(
            "plugins",
            Call(Symbol("workflowPlugin", "workflow/sveltekit")),
            behind=(Symbol("sveltekit", "@sveltejs/kit/vite"),),
        ),
        Wrap((Wrapper(Symbol("withWorkflowStudioSvelteKit", "workflow-studio/sveltekit"), awaited=True),)),
    ),
    snippet="""import { workflowPlugin } from 'workflow/sveltekit';
import { withWorkflowStudioSvelteKit } from 'workflow-studio/sveltekit';

export default await withWorkflowStudioSvelteKit(defineConfig({
\tplugins: [sveltekit(), workflowPlugin()]
}));""",
)

SVELTEKIT = Framework(
    id="sveltekit",
    label="SvelteKit",
    app_dir="routes",
    src_dir="src",
    start="node build",
    configs=(_CONFIG,),
    gitignore=(".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    guard="hooks.server",
    advice=_advice,
)
