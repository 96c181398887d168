"""SvelteKit with Vite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Symbol, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, Framework, ReadText

if TYPE_CHECKING:
    from collections.abc import Mapping


def _advice(_src: str, depends: Mapping[str, str], _read: ReadText) -> list[Advice]:
    if "@sveltejs/adapter-auto" in depends and "@sveltejs/adapter-node" not in depends:
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

SVELTEKIT = Framework(
    id="sveltekit",
    label="SvelteKit",
    config_stem="vite.config",
    new_config=("vite.config.ts", NEW_CONFIG),
    wrappers=(Wrapper(Symbol("withWorkflowStudioSvelteKit", "workflow-studio/sveltekit"), awaited=True),),
    # Behind sveltekit(): the plugin looks for its routes (source: @workflow/sveltekit 4.8.9).
    items={"plugins": ArrayItem("workflow/sveltekit", Symbol("workflowPlugin", "workflow/sveltekit"))},
    snippet="""import { workflowPlugin } from 'workflow/sveltekit';
import { withWorkflowStudioSvelteKit } from 'workflow-studio/sveltekit';

export default await withWorkflowStudioSvelteKit(defineConfig({
\tplugins: [sveltekit(), workflowPlugin()]
}));""",
    gitignore=(".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    app_dir="routes",
    start="node build",
    guard="hooks.server",
    advice=_advice,
)
