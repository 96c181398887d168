"""Next.js, App Router and Pages Router."""

from __future__ import annotations

from workflow_studio.scaffolder.scaffold.edits import Symbol, Wrap, Wrapper
from workflow_studio.scaffolder.scaffold.frameworks._base import Advice, App, ConfigFile, Framework

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

NEXTJS = Framework(
    id="nextjs",
    label="Next.js",
    app_dir="app",
    start="npx next start",
    configs=(_CONFIG,),
    gitignore=(".swc/", ".well-known/workflow/", ".workflow-data/", ".workflow-studio/"),
    guard="instrumentation",
    advice=_advice,
)
