"""Responses that cannot be sent as they are, and handlers that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

SERVE = """
const http = require('node:http');
const { toNodeHandler, sendWebResponse } = require('workflow-studio');
const logged = []; console.error = (...parts) => logged.push(parts.map(String).join(' '));
const server = http.createServer(%s);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const ask = () => new Promise((resolve) => {
  let raw = '';
  const socket = require('node:net').connect(server.address().port, '127.0.0.1');
  socket.setEncoding('latin1').on('data', (data) => { raw += data; });
  socket.on('close', () => resolve(raw)).on('error', () => {});
  socket.write('GET / HTTP/1.1\\r\\nHost: app\\r\\nConnection: close\\r\\n\\r\\n');
});
const raw = await ask();
server.close();
const [head, ...rest] = raw.split('\\r\\n\\r\\n');
return [head.split('\\r\\n')[0], rest.join('\\r\\n\\r\\n'), logged];
"""


def served(app: App, handler: str) -> tuple[str, str, list[str]]:
    line, body, logged = app.value(SERVE % handler)
    return line, body, logged


def test_a_handler_that_throws_is_a_plain_500(app: App) -> None:
    line, body, logged = served(app, "toNodeHandler(() => { throw new Error('secret detail'); })")
    assert line == "HTTP/1.1 500 Internal Server Error"
    assert '"code":"internal_error"' in body
    assert "secret" not in body
    assert "secret detail" in logged[0]


def test_a_handler_that_answers_nothing_is_a_404(app: App) -> None:
    line, body, _ = served(app, "toNodeHandler(() => undefined)")
    assert line == "HTTP/1.1 404 Not Found"
    assert '"code":"not_found"' in body


@pytest.mark.parametrize(
    ("response", "line"),
    [
        ("Response.error()", "HTTP/1.1 500 Internal Server Error"),
        ("new Response('x', {statusText: 'Quite Fine'})", "HTTP/1.1 200 Quite Fine"),
        ("new Response(null, {status: 304})", "HTTP/1.1 304 Not Modified"),
        ("new Response('x', {headers: {'transfer-encoding': 'gzip', connection: 'upgrade'}})", "HTTP/1.1 200 OK"),
    ],
)
def test_what_is_not_usual_is_sent_all_the_same(app: App, response: str, line: str) -> None:
    assert served(app, f"toNodeHandler(() => {response})")[0] == line


@pytest.mark.parametrize(
    "response",
    [
        "new Response('longer', {headers: {'content-length': '3'}})",
        "new Response('short', {headers: {'content-length': '30'}})",
        "new Response(new ReadableStream({start(c) { c.enqueue('text'); c.close(); }}))",
    ],
)
def test_a_body_that_is_not_what_its_head_says_is_cut(app: App, response: str) -> None:
    line, body, logged = served(app, f"toNodeHandler(() => {response})")
    assert line in {"HTTP/1.1 200 OK", ""}
    assert not body.endswith("0\r\n\r\n")
    assert len(body) < 30
    assert len(logged) == 1


def test_a_response_that_was_read_before_is_an_error(app: App) -> None:
    line, _, logged = served(
        app, "toNodeHandler(async () => { const made = new Response('x'); await made.text(); return made; })"
    )
    assert line == "HTTP/1.1 500 Internal Server Error"
    assert "read before" in logged[0]


def test_a_response_that_is_over_cancels_the_other(app: App) -> None:
    told: Any = app.value(
        "const { sendWebResponse } = require('workflow-studio'); let cancelled = false;"
        "const response = new Response(new ReadableStream({cancel() { cancelled = true; }}));"
        "const res = {writableEnded: true, end() { throw new Error('twice'); }};"
        "await sendWebResponse(response, res); return cancelled"
    )
    assert told is True
