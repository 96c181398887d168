"""The apps of the four frameworks, and what is put into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.e2e.dev.support import DevApp
from tests.e2e.matrix.prepare import prepare
from tests.e2e.matrix.test_hono import TestHono

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp

_ANSWER: Final = """
async function answer(request: Request) {
  if (request.method === 'GET') return new Response('page one');
  const { workflow, args } = (await request.json()) as {
    workflow: keyof typeof workflows;
    args: never[];
  };
  const { runId } = await start(workflows[workflow] as never, args);
  return Response.json({ runId, pid: process.pid });
}
"""


def _code(loop: str, ending: str) -> str:
    head = f"import {{ start }} from 'workflow/api';\nimport * as workflows from '{loop}';\n"
    return head + _ANSWER + ending


NEXTJS: Final = DevApp(
    "nextjs",
    "workflows",
    "app/api/dev/route.ts",
    _code("../../../workflows/loop", "\nexport { answer as GET, answer as POST };\n"),
)
NITRO: Final = DevApp(
    "nitro",
    "workflows",
    "server/api/dev.ts",
    _code("../../workflows/loop", "\nexport default ({ req }: { req: Request }) => answer(req);\n"),
)
SVELTEKIT: Final = DevApp(
    "sveltekit",
    "src/workflows",
    "src/routes/api/dev/+server.ts",
    _code(
        "../../../workflows/loop",
        "\nexport const GET = (event: { request: Request }) => answer(event.request);\nexport const POST = GET;\n",
    ),
)
HONO: Final = DevApp(
    "hono",
    "workflows",
    "src/index.ts",
    "import { Hono } from 'hono';\n"
    + _code(
        "../workflows/loop",
        "\nconst app = new Hono();\napp.all('/api/dev', (c) => answer(c.req.raw));\nexport default app;\n",
    ),
)


def prepared(app: DevApp, prepared_app: PreparedApp) -> Path:
    """Return the app of a framework, installed; other suites prepare it the same way."""
    if app is HONO:
        starter = TestHono.starter
        return prepared_app(f"matrix-{starter.label}", lambda folder: prepare(starter, folder))
    return prepared_app(app.name)
