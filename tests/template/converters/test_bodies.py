"""Bodies that somebody has read before the converter: taken from where parsers leave them, or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

PACKAGE = "workflow-studio"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
READ = """
const { Readable } = require('node:stream');
const { toWebRequest } = require('%s');
const headers = %s;
const req = Object.assign(Readable.from([Buffer.from('sent')]), {
  method: 'POST', url: '/', httpVersion: '1.1', httpVersionMajor: 1, headers,
});
if (%s) {
  await new Promise((resolve) => req.resume().on('end', resolve));
}
Object.assign(req, %s);
const made = toWebRequest(req);
return [Buffer.from(await made.arrayBuffer()).toString('latin1'), Object.fromEntries(made.headers)];
"""


def code(parts: str, headers: dict[str, str], read: bool = True) -> str:
    return READ % (PACKAGE, json.dumps({"host": "app", **headers}), str(read).lower(), parts)


def converted(app: App, parts: str, read: bool = True, **headers: str) -> tuple[str, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text, seen = app.value(code(parts, named, read))
    seen.pop("host")
    return text, seen


@pytest.mark.parametrize(
    ("parts", "kind", "text"),
    [
        ("{body: {a: [1]}}", JSON, '{"a":[1]}'),
        ("{body: null}", JSON, "null"),
        ("{body: false}", "application/cloudevents+json", "false"),
        ("{body: 'some text'}", "text/plain", "some text"),
        ("{body: Buffer.from([0, 255])}", "image/png", "\0\xff"),
        ("{body: new Uint8Array([0, 255]).subarray(1)}", "image/png", "\xff"),
        ("{body: {a: '1', b: ['2', '3']}}", FORM, "a=1&b=2&b=3"),
        ("{body: Object.assign(Object.create(null), {a: ' '})}", FORM, "a=+"),
        ("{body: Readable.from([Buffer.from('piped')])}", "x/y", "piped"),
        ("{body: new Response('of the Web').body}", "x/y", "of the Web"),
        # What was sent is better than what was made of it.
        ("{body: {a: 1}, rawBody: Buffer.from('{ \"a\": 1 }')}", JSON, '{ "a": 1 }'),
        ("{body: {a: 1}, rawBody: '{\"a\" :1}'}", JSON, '{"a" :1}'),
    ],
)
def test_a_body_is_taken_from_where_a_parser_left_it(app: App, parts: str, kind: str, text: str) -> None:
    got, headers = converted(app, parts, content_type=kind, content_length=str(len(text)))
    assert (got, headers["content-type"], headers["content-length"]) == (text, kind, str(len(text)))


def test_a_body_that_nobody_has_read_is_read_whatever_body_says(app: App) -> None:
    assert converted(app, "{body: {}}", read=False, content_type=JSON, content_length="4")[0] == "sent"


def test_what_a_parser_has_decompressed_is_not_called_compressed(app: App) -> None:
    text, headers = converted(app, "{body: {a: 1}}", content_type=JSON, content_encoding="gzip", content_length="99")
    assert (text, headers) == ('{"a":1}', {"content-type": JSON, "content-length": "7"})
    _, headers = converted(app, "{body: Buffer.from('abc')}", content_encoding="br", transfer_encoding="chunked")
    assert headers == {"content-length": "3"}


def test_bytes_that_are_compressed_still_are_called_so(app: App) -> None:
    _, headers = converted(app, "{body: Buffer.from('abc')}", content_encoding="br", content_length="3")
    assert headers == {"content-encoding": "br", "content-length": "3"}


def test_text_is_written_and_called_utf_8(app: App) -> None:
    text, headers = converted(app, "{body: 'é'}", content_type='text/plain; charset="latin1"; x=y', content_length="1")
    assert (text, headers["content-type"]) == ("\xc3\xa9", "text/plain; charset=utf-8; x=y")


@pytest.mark.parametrize("headers", [{"content_length": "0"}, {}])
def test_an_empty_body_is_empty(app: App, headers: dict[str, str]) -> None:
    assert converted(app, "{body: {}}", content_type=JSON, **headers)[0] == ""


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ("{}", JSON),
        ("{body: undefined}", "text/plain"),
        ("{body: {a: {b: '1'}}}", FORM),
        ("{body: {a: ['1', '2']}}", FORM),  # of another length than a=1&a=2: it was a[]=1&a[]=2
        ("{body: [1]}", FORM),
        ("{body: {file: {}}}", "multipart/form-data; boundary=x"),
        ("{body: '\\uFFFD\\uFFFD'}", "application/octet-stream"),
        ("{body: {a: 1}}", ""),
        ("{body: req}", "text/plain"),
    ],
)
def test_a_body_that_cannot_be_told_is_refused(app: App, parts: str, kind: str) -> None:
    error = app.error(code(parts, {"content-type": kind, "content-length": "15"}))
    assert (error["code"], error["status"]) == ("body_already_read", 500)
    assert "rawBody" in error["message"]


def test_a_lost_connection_breaks_the_body(app: App) -> None:
    made: Any = app.error(
        code("(req.destroy(new Error('cut')), {})", {"content-length": "15"}, read=False).replace(
            "const made", "req.on('error', () => {}); await new Promise((r) => req.on('close', r)); const made"
        )
    )
    assert made["message"] == "cut"


@pytest.mark.parametrize("source", ["undefined", "null", "42", "'text'", "{}", "{req: {}}", "{request: {request: {}}}"])
def test_what_is_no_request_is_refused(app: App, source: str) -> None:
    assert app.error(f"require('{PACKAGE}').toWebRequest({source})")["code"] == "unknown_request"


def test_a_used_request_is_refused(app: App) -> None:
    error = app.error(
        f"require('{PACKAGE}').toWebRequest({{method: 'POST', url: 'http://app/', headers: {{}}, bodyUsed: true}})"
    )
    assert error["code"] == "body_already_read"


def test_requests_of_another_realm_are_made_our_own(app: App) -> None:
    # What a library's own classes give: streams and signals that are none of this realm's.
    assert app.value(
        f"""
        const {{ toWebRequest }} = require('{PACKAGE}');
        const real = new Response('\\0ÿ').body.getReader();
        const listeners = [];
        const made = toWebRequest({{
          method: 'PUT', url: 'http://app/', headers: [['a', '1'], ['a', '2']],
          body: {{ getReader: () => real }},
          signal: {{ aborted: false, reason: 'gone', addEventListener: (_, run) => listeners.push(run) }},
        }});
        const text = await made.text();
        listeners[0]();
        return [text, made.headers.get('a'), made.signal.aborted, made.signal.reason];
        """
    ) == ["\0ÿ", "1, 2", True, "gone"]


def test_http_2_needs_no_other_code(app: App) -> None:
    assert app.value(
        f"""
        const http2 = require('node:http2');
        const {{ toNodeHandler }} = require('{PACKAGE}');
        const aborted = Promise.withResolvers?.() ?? {{}};
        aborted.promise ??= new Promise((resolve) => (aborted.resolve = resolve));
        const server = http2.createServer(toNodeHandler(async (request) => {{
          if (request.url.endsWith('/hang')) {{
            request.signal.addEventListener('abort', () => aborted.resolve('aborted'));
            return new Response(new ReadableStream({{ start: (c) => c.enqueue(Buffer.from('x')) }}));
          }}
          request.signal.addEventListener('abort', () => aborted.resolve('late'));
          const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['connection', 'close']]);
          const named = [...request.headers].filter(([name]) => name !== 'user-agent');
          return Response.json([request.method, request.url, named, await request.text()], {{ headers }});
        }}));
        await new Promise((resolve) => server.listen(0, resolve));
        const client = http2.connect('http://localhost:' + server.address().port);
        const ask = (head, body) => new Promise((resolve, reject) => {{
          const stream = client.request(head);
          let answer; let text = '';
          stream.on('response', (headers) => (answer = headers)).on('data', (data) => (text += data));
          stream.on('end', () => resolve([answer, text])).on('error', reject).end(body);
        }});
        const [headers, text] = await ask(
          {{ ':method': 'POST', ':path': '/a?b', ':authority': 'h2.example', cookie: ['a=1', 'b=2'], 'x-one': 'é' }},
          'body',
        );
        const hanging = client.request({{ ':path': '/hang' }});
        await new Promise((resolve) => hanging.on('data', resolve));
        hanging.close(http2.constants.NGHTTP2_CANCEL);
        const told = await aborted.promise;
        await new Promise((resolve) => client.close(resolve));
        server.close();
        return [headers[':status'], headers['set-cookie'], JSON.parse(text), told];
        """
    ) == [
        200,
        ["a=1", "b=2"],
        ["POST", "http://h2.example/a?b", [["cookie", "a=1; b=2"], ["x-one", "é"]], "body"],
        "aborted",
    ]
