"""Plain Vite: a page and, by Nitro's plugin, a server."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.frameworks._base import ConfigFile, Framework
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

_NEW_CONFIG = """import { nitro } from 'nitro/vite';
import { defineConfig } from 'vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioVite } from 'workflow-studio/vite';

export default withWorkflowStudioVite(
  defineConfig({
    plugins: [nitro(), workflow()],
    nitro: { serverDir: './server' },
  }),
);
"""

_CONFIG = ConfigFile(
    stem="vite.config",
    new=("vite.config.ts", _NEW_CONFIG),
    edits=(plugin(NITRO), plugin(WORKFLOW), wrap("withWorkflowStudioVite", "workflow-studio/vite")),
    snippet="""import { nitro } from 'nitro/vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioVite } from 'workflow-studio/vite';

export default withWorkflowStudioVite(defineConfig({
  plugins: [nitro(), workflow()],
  nitro: { serverDir: './server' },
}));""",
)

VITE = Framework(
    id="vite",
    label="Vite",
    app_dir="server",
    src_dir="",
    start=START,
    configs=(_CONFIG,),
    json_edits=(START_SCRIPT,),
    pins=(NITRO_PIN,),
    packages={"vite": "8.3.8"},
    gitignore=GITIGNORE,
)
