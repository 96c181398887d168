"""What the adapter of every framework offers to the app's own routes, by the names that its users know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

ADAPTERS = Path(__file__).parents[2] / "template/_shared/adapters"
NAMES = {
    "next": "Next",
    "nitro": "Nitro",
    "sveltekit": "SvelteKit",
    "nuxt": "Nuxt",
    "astro": "Astro",
    "vite": "Vite",
    "express": "Express",
    "hono": "Hono",
    "fastify": "Fastify",
    "nest": "Nest",
    "tanstack-start": "TanStackStart",
    "react-router": "ReactRouter",
}
# Where each framework keeps the Web request of what it gives to a route.
EVENTS = [
    ("next", "source"),
    ("nitro", "{req: source}"),
    ("nitro", "{web: {request: source}, node: {}}"),
    ("nitro", "source"),
    ("sveltekit", "{request: source}"),
    ("nuxt", "{web: {request: source}, node: {}}"),
    ("astro", "{request: source, url: new URL('http://app/')}"),
    ("vite", "{req: source}"),
    ("hono", "{req: {raw: source, method: 'PUT', url: 'http://app/'}}"),
    ("hono", "{raw: source}"),
    ("nest", "{switchToHttp: () => ({getRequest: () => source})}"),
    ("tanstack-start", "{request: source, params: {}}"),
    ("react-router", "{request: source, params: {}}"),
    ("express", "source"),
    ("fastify", "source"),
]
NODE = [
    ("express", "Object.assign(req, {originalUrl: req.url})"),
    ("vite", "Object.assign(req, {originalUrl: req.url, url: '/'})"),
    ("fastify", "{raw: req, headers: req.headers, method: req.method, url: req.url}"),
    ("nest", "Object.assign(req, {originalUrl: req.url})"),
    ("nest", "{switchToHttp: () => ({getRequest: () => req})}"),
    ("next", "Object.assign(req, {query: {}, cookies: {}})"),
    ("nuxt", "{node: {req, res}, path: req.url, method: req.method, headers: new Headers(), web: undefined}"),
    ("nitro", "{node: {req, res}, path: req.url, method: req.method, headers: new Headers(), web: undefined}"),
]


def load(adapter: str) -> str:
    # By its path: a package exports only the adapter of its own framework.
    return f"require('./node_modules/workflow-studio/{adapter}.cjs')"


@pytest.mark.node
@pytest.mark.parametrize("adapter", NAMES)
def test_every_adapter_has_the_helpers_of_its_name(app: App, adapter: str) -> None:
    name = NAMES[adapter]
    assert app.value(
        f"const it = {load(adapter)}; const {{ proxyTrigger, proxyWebhook }} = require('workflow-studio');"
        f"return [it.proxyTriggerFrom{name} === proxyTrigger, it.proxyWebhookFrom{name} === proxyWebhook,"
        f" typeof it.convert{name}Request, typeof it.withWorkflowStudio{name}]"
    ) == [True, True, "function", "function"]


@pytest.mark.parametrize("adapter", NAMES)
def test_every_adapter_declares_what_it_has(adapter: str) -> None:
    text = (ADAPTERS / f"{adapter}.d.ts").read_text()
    declared = set(re.findall(r"^export (?:function|const) (\w+)", text, re.MULTILINE))
    name = NAMES[adapter]
    wanted = {
        f"withWorkflowStudio{name}",
        f"proxyTriggerFrom{name}",
        f"proxyWebhookFrom{name}",
        f"convert{name}Request",
    }
    assert wanted <= declared


@pytest.mark.node
@pytest.mark.parametrize(("adapter", "event"), EVENTS)
def test_a_web_request_goes_through_as_it_is(app: App, adapter: str, event: str) -> None:
    assert app.value(
        f"const {{ convert{NAMES[adapter]}Request: convert }} = {load(adapter)};"
        f"const source = new Request('http://app/'); return convert({event}) === source"
    )


@pytest.mark.node
@pytest.mark.parametrize(("adapter", "event"), EVENTS)
def test_a_lookalike_keeps_method_headers_and_body(app: App, adapter: str, event: str) -> None:
    # A request of another realm or library has the fields of a Request without being one.
    assert app.value(
        f"const {{ convert{NAMES[adapter]}Request: convert }} = {load(adapter)};"
        "const real = new Request('http://app/a?b=c', {method: 'PUT', headers: {'x-one': '1'}, body: '\\0ÿ',"
        " duplex: 'half'});"
        "const source = {url: real.url, method: real.method, headers: real.headers, body: real.body};"
        f"const made = convert({event});"
        "return [made instanceof Request, made.url, made.method, made.headers.get('x-one'), await made.text()]"
    ) == [True, "http://app/a?b=c", "PUT", "1", "\0ÿ"]


@pytest.mark.node
@pytest.mark.parametrize(("adapter", "event"), NODE)
def test_a_request_of_node_is_made_one_of_the_web(app: App, adapter: str, event: str) -> None:
    assert app.value(
        f"const {{ convert{NAMES[adapter]}Request: convert }} = {load(adapter)};"
        "const server = require('node:http').createServer(async (req, res) => {"
        f" const made = convert({event});"
        " res.end(JSON.stringify([made instanceof Request, made.method, new URL(made.url).pathname,"
        " made.headers.get('x-one'), await made.text()])); });"
        "await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));"
        "const answer = await fetch(`http://127.0.0.1:${server.address().port}/a?b=c`,"
        " {method: 'PUT', headers: {'x-one': '1', connection: 'close'}, body: '\\0ÿ'});"
        "const seen = await answer.json(); server.close(); return seen"
    ) == [True, "PUT", "/a", "1", "\0ÿ"]
