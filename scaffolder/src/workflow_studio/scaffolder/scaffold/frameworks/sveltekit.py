"""SvelteKit with Vite."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Call, OtherModule, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework, Pin

_AUTO: Final = "@sveltejs/adapter-auto"
_NODE: Final = "@sveltejs/adapter-node"
# Where one of them is, adapter-auto finds the platform that the app is for.
_PLATFORMS: Final = (
    "vercel.json", ".vercel/project.json", "netlify.toml", "wrangler.toml", "wrangler.json", "wrangler.jsonc",
    "staticwebapp.config.json",
)  # fmt: skip
_ENGINE_STRICT: Final = re.compile(r"^\s*engine-strict\s*=\s*true\s*$", re.MULTILINE)


def _uses_auto(app: App) -> bool:
    return _AUTO in app.depends and _NODE not in app.depends


def _has_platform(app: App) -> bool:
    return any(app.read(name) is not None for name in _PLATFORMS)


def _takes_node(app: App) -> bool:
    """Tell whether the adapter that makes a server to run oneself belongs in adapter-auto's place."""
    return _uses_auto(app) and not _has_platform(app)


def _is_kit_3(app: App) -> bool:
    return re.match(r"[\^~=v ]*3\b", app.depends.get("@sveltejs/kit", "")) is not None


def _advice(app: App) -> list[Advice]:
    found = []
    if _uses_auto(app) and _has_platform(app):
        why = "adapter-auto makes no server to run yourself: @sveltejs/adapter-node does (5 for Kit 2, 6 for Kit 3)"
        found.append(Advice(why, "package.json"))
    if _ENGINE_STRICT.search(app.read(".npmrc") or ""):
        why = (
            "engine-strict has npm refuse the Workflow SDK on Node.js 20, as one of its packages asks for 22:"
            " install with Node.js 22 or later, or take the line out"
        )
        found.append(Advice(why, ".npmrc"))
    return found


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

_ADAPTER = OtherModule(_AUTO, _NODE)
# The adapter is chosen in here, or in vite.config.
_SVELTE_CONFIG = ConfigFile(
    stem="svelte.config",
    edits=(_ADAPTER,),
    snippet=f"import adapter from '{_NODE}';",
    optional=True,
)


def _variant(framework: Framework, app: App) -> Framework:
    if not _takes_node(app):
        return framework
    pin = Pin(_NODE, "6.0.1" if _is_kit_3(app) else "5.5.7", "5 is for Kit 2, 6 for Kit 3", dev=True)
    config = replace(_CONFIG, edits=(_ADAPTER, *_CONFIG.edits))
    return replace(framework, configs=(config, _SVELTE_CONFIG), pins=(pin,))


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
    variant=_variant,
)
