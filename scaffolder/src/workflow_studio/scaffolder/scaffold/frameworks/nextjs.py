"""Next.js, App Router and Pages Router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.scaffold.edits import Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework

if TYPE_CHECKING:
    from pathlib import Path

_MATCHER = """export const config = {
  // The Workflow SDK's own routes answer before any redirect or login.
  matcher: ['/((?!\\\\.well-known/workflow/).*)'],
};"""


def _advice(app: App) -> list[Advice]:
    found = []
    for name in ("proxy.ts", "proxy.js", "middleware.ts", "middleware.js"):
        path = f"{app.src}{name}"
        text = app.read(path)
        if text is None or ".well-known/workflow" in text:
            continue
        # A matcher that lists the routes it is for cannot catch ours; no matcher, or "all but", does.
        if "matcher" not in text or "(?!" in text:
            why = (
                "it also runs for /.well-known/workflow/, the Workflow SDK's own routes: leave them out of its matcher"
            )
            found.append(Advice(why, path, _MATCHER))
    return found


_CONFIG = ConfigFile(
    stem="next.config",
    new=(
        "next.config.mjs",
        """import { withWorkflow } from "workflow/next";
import { withWorkflowStudioNext } from "workflow-studio/next";

/** @type {import('next').NextConfig} */
const nextConfig = {};

export default withWorkflow(withWorkflowStudioNext(nextConfig));
""",
    ),
    edits=(
        Wrap(
            (
                # withWorkflow returns a function of its own and has to be the outermost (source: @workflow/next 4.8.9).
                Wrapper(Symbol("withWorkflow", "workflow/next")),
                Wrapper(Symbol("withWorkflowStudioNext", "workflow-studio/next")),
            )
        ),
    ),
    snippet="""import { withWorkflow } from "workflow/next";
import { withWorkflowStudioNext } from "workflow-studio/next";

export default withWorkflow(withWorkflowStudioNext(nextConfig));""",
)


def _routes(source: Path) -> str:
    """Return the folder of the routes: an app of the Pages Router only is given no folder of the App Router."""
    app = source / "app"
    # The Workflow SDK makes an app folder for its own routes.
    has_app = app.is_dir() and any(child.name != ".well-known" for child in app.iterdir())
    return "pages" if not has_app and (source / "pages").is_dir() else "app"


NEXTJS = Framework(
    id="nextjs",
    label="Next.js",
    app_dir="app",
    routes=_routes,
    start="npx next start",
    configs=(_CONFIG,),
    gitignore=(".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    guard="instrumentation",
    advice=_advice,
)
