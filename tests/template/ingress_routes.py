"""Routes of an app that start runs by name and take webhooks, in the way of each framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRIGGER = """
import {{ proxyTriggerFrom{name} }} from 'workflow-studio/{adapter}';
{head}
  return Response.json(await proxyTriggerFrom{name}(await {request}.json()));
{tail}
"""
WEBHOOK = """
import {{ proxyWebhookFrom{name} }} from 'workflow-studio/{adapter}';
{head}
  const token = new URL({request}.url).searchParams.get('token') ?? '';
  return proxyWebhookFrom{name}({{ token, request: {event} }});
{tail}
"""
ROUTES = {
    "nextjs": {
        "name": "Next",
        "adapter": "next",
        "file": "app/api/ingress/{route}/route.ts",
        "head": "export async function POST(request: Request) {",
        "tail": "}",
        "request": "request",
        "event": "request",
        "workflow": "workflow//./workflows/order//fulfilOrder",
    },
    "nitro": {
        "name": "Nitro",
        "adapter": "nitro",
        "file": "server/api/ingress/{route}.post.ts",
        "head": "import { defineHandler } from 'nitro/h3';\nexport default defineHandler(async (event) => {",
        "tail": "});",
        "request": "event.req",
        "event": "event",
        "workflow": "workflow//./workflows/order//fulfilOrder",
    },
    "sveltekit": {
        "name": "SvelteKit",
        "adapter": "sveltekit",
        "file": "src/routes/api/ingress/{route}/+server.ts",
        "head": "export async function POST(event: { request: Request }) {",
        "tail": "}",
        "request": "event.request",
        "event": "event",
        "workflow": "workflow//./src/workflows/order//fulfilOrder",
    },
}


def add_ingress(folder: Path, framework: str) -> None:
    """Write the routes ``/api/ingress/trigger`` and ``/api/ingress/webhook?token=…``."""
    route = ROUTES[framework]
    for name, text in (("trigger", TRIGGER), ("webhook", WEBHOOK)):
        file = folder / route["file"].format(route=name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(**route))
