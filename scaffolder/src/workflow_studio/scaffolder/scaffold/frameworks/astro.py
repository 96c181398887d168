"""Astro, with a server of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from workflow_studio.scaffolder.scaffold.edits import ArrayItem, Call, Property, Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework, Pin

_NODE: Final = "@astrojs/node"
_OTHER_ADAPTERS: Final = ("@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare", "@deno/astro-adapter")


def _is_astro_7(app: App) -> bool:
    return "astro" not in app.depends or re.match(r"[\^~=v ]*7\b", app.depends["astro"]) is not None


def _has_other_adapter(app: App) -> bool:
    return not app.depends.keys().isdisjoint(_OTHER_ADAPTERS)


def _takes_node(app: App) -> bool:
    """Tell whether the adapter that makes a server of its own is there, or can be added."""
    return _NODE in app.depends or (_is_astro_7(app) and not _has_other_adapter(app))


def _advice(app: App) -> list[Advice]:
    if _takes_node(app) or _has_other_adapter(app):
        return []
    # Which release of the adapter fits is known of Astro 7 only.
    why = "the routes of workflows need a server, and so an adapter: npx astro add node"
    return [Advice(why, "package.json", f'"{_NODE}": "<the release for your Astro>"')]


_ADAPTER = Property(
    ("adapter",), Call(Symbol("default", _NODE, local="node"), ({"mode": "standalone"},)), required=False
)

_CONFIG = ConfigFile(
    stem="astro.config",
    new=(
        "astro.config.mjs",
        """import node from '@astrojs/node';
import { defineConfig } from 'astro/config';
import { withWorkflowStudioAstro } from 'workflow-studio/astro';
import { workflow } from 'workflow/astro';

export default withWorkflowStudioAstro(
  defineConfig({
    adapter: node({ mode: 'standalone' }),
    integrations: [workflow()],
  }),
);
""",
    ),
    edits=(
        _ADAPTER,
        ArrayItem("integrations", Call(Symbol("workflow", "workflow/astro"))),
        Wrap((Wrapper(Symbol("withWorkflowStudioAstro", "workflow-studio/astro"), takes_functions=False),)),
    ),
    snippet="""import node from '@astrojs/node';
import { workflow } from 'workflow/astro';
import { withWorkflowStudioAstro } from 'workflow-studio/astro';

export default withWorkflowStudioAstro(
  defineConfig({
    adapter: node({ mode: 'standalone' }),
    integrations: [workflow()],
  }),
);""",
)


def _variant(framework: Framework, app: App) -> Framework:
    if _takes_node(app):
        return framework
    return replace(framework, configs=(replace(_CONFIG, edits=_CONFIG.edits[1:]),))


ASTRO = Framework(
    id="astro",
    label="Astro",
    app_dir="pages",
    src_dir="src",
    start="node dist/server/entry.mjs",
    configs=(_CONFIG,),
    pins=(
        Pin(
            _NODE,
            "11.1.6",
            "the routes of workflows need a server",
            accepts=r"[\^~=v ]*\d.*",
            unless=_OTHER_ADAPTERS,
            when=_is_astro_7,
        ),
    ),
    packages={"astro": "7.3.5"},
    gitignore=(".astro/", "dist/", ".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    advice=_advice,
    variant=_variant,
)
