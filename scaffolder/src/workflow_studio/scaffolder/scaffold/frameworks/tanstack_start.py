"""TanStack Start, whose server Nitro's plugin makes."""

from __future__ import annotations

from typing import Final

from workflow_studio.scaffolder.scaffold.edits import Symbol
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework
from workflow_studio.scaffolder.scaffold.frameworks._vite import (
    GITIGNORE,
    NITRO,
    NITRO_PIN,
    START,
    START_SCRIPT,
    WORKFLOW,
    plugin,
    wrap,
)

_TANSTACK_START: Final = tuple(
    Symbol("tanstackStart", f"@tanstack/{library}-start/plugin/vite") for library in ("react", "solid")
)
_OTHER_SERVERS: Final = ("@cloudflare/vite-plugin", "@netlify/vite-plugin-tanstack-start")

_NEW_CONFIG = """import { tanstackStart } from '@tanstack/react-start/plugin/vite';
import react from '@vitejs/plugin-react';
import { nitro } from 'nitro/vite';
import { defineConfig } from 'vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioTanStackStart } from 'workflow-studio/tanstack-start';

export default withWorkflowStudioTanStackStart(
  defineConfig({
    plugins: [workflow(), nitro(), tanstackStart(), react()],
  }),
);
"""

_CONFIG = ConfigFile(
    stem="vite.config",
    new=("vite.config.ts", _NEW_CONFIG),
    edits=(
        plugin(WORKFLOW, before=_TANSTACK_START),
        # Without it the build ends well, and has no server and none of the SDK's routes.
        plugin(NITRO),
        wrap("withWorkflowStudioTanStackStart", "workflow-studio/tanstack-start"),
    ),
    snippet="""import { nitro } from 'nitro/vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioTanStackStart } from 'workflow-studio/tanstack-start';

export default withWorkflowStudioTanStackStart(defineConfig({
  plugins: [workflow(), nitro(), tanstackStart(), …],
}));""",
)


def _advice(app: App) -> list[Advice]:
    others = [name for name in _OTHER_SERVERS if name in app.depends]
    if not others:
        return []
    return [Advice(f"Nitro makes the server now: take {' and '.join(others)} out of the plugins", "vite.config.ts")]


TANSTACK_START = Framework(
    id="tanstack-start",
    label="TanStack Start",
    app_dir="routes",
    src_dir="src",
    start=START,
    configs=(_CONFIG,),
    json_edits=(START_SCRIPT,),
    pins=(NITRO_PIN,),
    gitignore=GITIGNORE,
    advice=_advice,
)
