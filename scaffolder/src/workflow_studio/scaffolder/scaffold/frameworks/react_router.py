"""React Router 7 and 8 in framework mode, whose server Nitro's plugin makes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from workflow_studio.scaffolder.scaffold.edits import Property
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

_SERVE: Final = "react-router-serve ./build/server/index.js"

_NEW_CONFIG = """import { reactRouter } from '@react-router/dev/vite';
import { nitro } from 'nitro/vite';
import { defineConfig } from 'vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioReactRouter } from 'workflow-studio/react-router';

export default withWorkflowStudioReactRouter(
  defineConfig({
    plugins: [reactRouter(), nitro(), workflow()],
  }),
);
"""

_CONFIG = ConfigFile(
    stem="vite.config",
    new=("vite.config.ts", _NEW_CONFIG),
    edits=(
        plugin(NITRO),
        plugin(WORKFLOW),
        wrap("withWorkflowStudioReactRouter", "workflow-studio/react-router"),
    ),
    snippet="""import { nitro } from 'nitro/vite';
import { workflow } from 'workflow/vite';
import { withWorkflowStudioReactRouter } from 'workflow-studio/react-router';

export default withWorkflowStudioReactRouter(defineConfig({
  plugins: [reactRouter(), nitro(), workflow()],
}));""",
)


def _is_seven(app: App) -> bool:
    spec = app.depends.get("@react-router/dev", app.depends.get("react-router", ""))
    return re.match(r"\D*7\b", spec) is not None


# React Router 8 always does what 7 does with this flag; without it Nitro's plugin cannot build 7.
_FLAG = ConfigFile(
    stem="react-router.config",
    new=(
        "react-router.config.ts",
        """import type { Config } from '@react-router/dev/config';

export default {
  future: { v8_viteEnvironmentApi: true },
} satisfies Config;
""",
    ),
    edits=(Property(("future", "v8_viteEnvironmentApi"), value=True),),
    snippet="""export default {
  future: { v8_viteEnvironmentApi: true },
};""",
    when=_is_seven,
)


def _advice(app: App) -> list[Advice]:
    for suffix in ("ts", "js", "mts", "mjs"):
        path = f"react-router.config.{suffix}"
        text = app.read(path) or ""
        if found := re.search(r"^[^/\n]*\bssr\s*:\s*false\b", text, re.MULTILINE):
            why = "`ssr: false` makes a page without a server, which workflows need: take it out"
            return [Advice(why, path, "ssr: true,", text.count("\n", 0, found.end()) + 1)]
    return []


REACT_ROUTER = Framework(
    id="react-router",
    label="React Router",
    app_dir="app",
    src_dir="",
    start=START,
    configs=(_CONFIG, _FLAG),
    json_edits=(
        replace(
            START_SCRIPT,
            replaces=(_SERVE, f"NODE_ENV=production {_SERVE}", f"cross-env NODE_ENV=production {_SERVE}"),
        ),
    ),
    pins=(NITRO_PIN,),
    gitignore=GITIGNORE,
    advice=_advice,
)
