"""Handing webhook calls on: to the worker, or to the app's own Workflow SDK."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.ingress_app import configure, install_sdk, url_of_nobody
from tests.template.support import Answer, FakeWorker, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

WEBHOOK = "/.well-known/workflow/v1/webhook/"
TOLD = "[answer.status, await answer.text(), [...answer.headers]]"
# Two servers in one process: the app, and a worker that a test writes in JavaScript.
SERVERS = """
const http = require('node:http');
const { proxyWebhook, toNodeHandler } = require('workflow-studio');
const listening = async (handler) => {
  const server = http.createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
};
const worker = await listening(%s);
const execution = { mode: 'remote', remoteWorkerUrl: `http://127.0.0.1:${worker.address().port}` };
const caught = [];
const app = await listening(toNodeHandler((request) =>
  proxyWebhook({ token: 't', request }, { execution, webhookTimeoutMs: %s }).catch((error) => {
    caught.push([error.name, error.code]);
    return new Response(error.code, { status: 502 });
  }),
));
const url = `http://127.0.0.1:${app.address().port}/hook`;
try {
%s
} finally {
  for (const server of [app, worker]) { server.closeAllConnections(); server.close(); }
}
"""


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    for worker in FakeWorker().serve():
        worker.answers(Answer(201, b"from the worker", "text/plain"))
        yield worker


@pytest.fixture(autouse=True)
def sdk(app: App) -> None:
    install_sdk(app)


def hand_on(app: App, call: str, options: str = "{}", **env: str) -> dict[str, Any]:
    return app.node(
        f"const answer = await require('workflow-studio').proxyWebhook({call}, {options});"
        f"return [{TOLD}, globalThis.sdkCalls ?? []]",
        WORKFLOW_COMPUTE_API_KEY="key",
        **env,
    )


def code(answer: dict[str, Any]) -> str:
    assert answer["error"]["name"] == "WorkflowStudioWebhookError"
    return str(answer["error"]["code"])


@pytest.mark.parametrize(
    ("target", "execution", "mode", "policy", "answers"),
    list(
        product(
            ("token", "provider"),
            ("local", "remote"),
            (None, "proxy-trigger", "passthrough"),
            ("error", "fallback-local"),
            (True, False),
        )
    ),
)
def test_a_call_goes_where_the_modes_say(
    app: App, worker: FakeWorker, target: str, execution: str, mode: str | None, policy: str, answers: bool
) -> None:
    configure(app, mode=execution, failPolicy=policy, remoteWorkerUrl=worker.url if answers else url_of_nobody())
    call = f"{{{target}: 't', body: 'sent', headers: {{}}}}"
    answer = hand_on(app, call, json.dumps({"mode": mode} if mode else {}))
    if mode == "passthrough":
        assert code(answer) == "ingress_disabled"
    elif target == "token" and (execution == "local" or policy == "fallback-local"):
        assert answer["value"][0][:2] == [201, "from the app"]
        assert answer["value"][1] == [["resumeWebhook", "t", "POST", "http://localhost/", "sent"]]
    elif execution == "local":
        assert code(answer) == "not_found"
    elif answers:
        assert answer["value"][0][:2] == [201, "from the worker"]
    else:
        assert code(answer) == "unreachable"


def test_a_provider_s_call_is_vouched_for_by_the_app_s_key(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, environment="dev-ada")
    hand_on(
        app,
        "{provider: 'a/b', body: new Uint8Array([0, 255]), url: 'http://app/x?q=%20&q=2', headers: {"
        "'stripe-signature': 's', 'X-Many': ['1', '2'], authorization: 'Bearer theirs', 'idempotency-key': 'theirs',"
        " 'x-workflow-studio-environment': 'theirs',"
        " host: 'app', connection: 'x-hop, content-type', 'x-hop': '1', 'content-type': 'a/b', 'keep-alive': '5',"
        " ':path': '/', none: undefined}}",
    )
    [request] = worker.requests
    assert (request.method, request.path) == ("POST", "/v1/webhooks/a%2Fb?q=%20&q=2")
    sent = {name: value for name, value in request.headers.items() if name not in {"host", "connection"}}
    assert sent == {
        "authorization": "Bearer key",
        "x-workflow-studio-environment": "dev-ada",
        "stripe-signature": "s",
        "x-many": "1, 2",
        "content-type": "a/b",
        "transfer-encoding": "chunked",
    }


def test_a_token_s_call_needs_no_key_and_says_how_the_caller_addressed_the_app(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url + "/base/")
    hand_on(
        app,
        "{token: 'a/b?#', request: new Request('https://shop.example/x?q=%20', {method: 'POST', body: 'sent', headers:"
        " {authorization: 'theirs', 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', 'content-length': '4'}})}",
    )
    [request] = worker.requests
    assert (request.path, request.params) == (f"/base{WEBHOOK}a%2Fb%3F%23?q=%20", b"sent")
    assert request.headers["authorization"] == "theirs"
    assert (request.headers["x-forwarded-proto"], request.headers["x-forwarded-host"]) == ("https", "shop.example")
    assert not {"x-forwarded-for", "forwarded"} & set(request.headers)


@pytest.mark.parametrize("token", ["", ".", ".."])
def test_a_token_is_never_a_way_elsewhere(app: App, worker: FakeWorker, token: str) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url)
    status, body, _ = hand_on(app, f"{{token: '{token}', body: 'x'}}")["value"][0]
    assert (status, json.loads(body)["code"], worker.requests) == (404, "hook_not_found", [])


def test_an_unknown_token_in_the_app_is_not_found(app: App) -> None:
    configure(app, mode="local")
    status, body, _ = hand_on(app, "{token: 'none', body: 'x'}")["value"][0]
    assert (status, json.loads(body)["code"]) == (404, "hook_not_found")


@pytest.mark.parametrize("call", ["{body: 'x'}", "{token: 't', provider: 'p', body: 'x'}", "{provider: '..'}"])
def test_a_call_has_one_target(app: App, worker: FakeWorker, call: str) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url)
    assert code(hand_on(app, call)) == "invalid_request"


def test_what_the_worker_finds_wrong_with_the_app_is_not_for_its_callers(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url)
    worker.answers(refusal(403, "missing_scope", recovery="Use a key with trigger:write."))
    error = hand_on(app, "{provider: 'stripe', body: 'x'}")["error"]
    assert (error["code"], error["status"]) == ("missing_scope", 403)
    assert error["message"].endswith("Use a key with trigger:write.")
    assert hand_on(app, "{token: 't', body: 'x'}")["value"][0][0] == 403, "a token's caller gets the answer as it is"


def two_servers(app: App, worker: str, test: str, timeout: str = "undefined") -> Any:
    return app.value(SERVERS % (worker, timeout, test))


def test_the_answer_comes_back_as_it_is(app: App) -> None:
    # Not followed, not decompressed, nothing joined; fetch would do all of it.
    assert two_servers(
        app,
        "(req, res) => { res.writeHead(307, 'Elsewhere', [['Location', '/other'], ['Set-Cookie', 'a=1'],"
        " ['Set-Cookie', 'b=2'], ['Content-Encoding', 'gzip'], ['Server', 'w'], ['Connection', 'x-hop'],"
        " ['X-Hop', '1']].flat()); res.end(Buffer.from([0, 255])); }",
        "return await new Promise((resolve) => http.get(url, (answer) => {"
        " const names = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !name.startsWith('da')));"
        " answer.once('data', (data) => resolve([answer.statusCode, answer.statusMessage, names, [...data]])) }))",
    ) == [
        307,
        "Elsewhere",
        {
            "location": "/other",
            "set-cookie": ["a=1", "b=2"],
            "content-encoding": "gzip",
            "connection": "keep-alive",
            "keep-alive": "timeout=5",
            "transfer-encoding": "chunked",
        },
        [0, 255],
    ]


def test_bodies_pass_piece_by_piece_both_ways(app: App) -> None:
    assert two_servers(
        app,
        "(req, res) => req.pipe(res)",
        "const seen = []; const call = http.request(url, {method: 'POST'}); call.flushHeaders(); call.write('one');"
        "return await new Promise((resolve) => call.on('response', (answer) => answer.on('data', (data) => {"
        " seen.push(String(data)); if (seen.length === 1) call.end('two');"
        "}).on('end', () => resolve(seen))))",
    ) == ["one", "two"]


@pytest.mark.parametrize(("trusted", "by"), [("", "127.0.0.1"), ("127.0.0.0/8", "6.6.6.6, 127.0.0.1")])
def test_the_worker_learns_who_called(app: App, trusted: str, by: str) -> None:
    seen = two_servers(
        app,
        "(req, res) => res.end(JSON.stringify([req.headers['x-forwarded-for'], req.method, req.headers.host]))",
        f"process.env.WORKFLOW_STUDIO_TRUSTED_PROXIES = '{trusted}';"
        "const answer = await fetch(url, {method: 'DELETE', headers: {'x-forwarded-for': '6.6.6.6'}});"
        "const [by, method, host] = await answer.json(); return [by, method, host === new URL(url).host]",
    )
    assert seen == [by, "DELETE", False]


def test_a_caller_that_leaves_takes_the_call_of_the_worker_along(app: App) -> None:
    assert (
        two_servers(
            app,
            "(req, res) => { globalThis.arrived?.(); res.on('close', () => globalThis.left('left')); }",
            "const left = new Promise((resolve) => { globalThis.left = resolve; });"
            "const call = http.get(url); call.on('error', () => {});"
            "await new Promise((resolve) => { globalThis.arrived = resolve; }); call.destroy(); return await left",
        )
        == "left"
    )


def test_a_worker_that_does_not_answer_is_waited_for_so_long(app: App) -> None:
    assert two_servers(
        app,
        "() => {}",
        "const answer = await fetch(url); return [answer.status, await answer.text(), caught]",
        timeout="200",
    ) == [502, "timeout", [["WorkflowStudioWebhookError", "timeout"]]]


def test_an_answer_that_is_cut_is_not_taken_for_whole(app: App) -> None:
    assert (
        two_servers(
            app,
            "(req, res) => { res.write('part'); setImmediate(() => res.destroy()); }",
            "return await fetch(url).then((answer) => answer.text()).then(() => 'whole', () => 'cut')",
        )
        == "cut"
    )


def test_a_caller_s_body_that_is_cut_is_not_taken_for_whole(app: App) -> None:
    assert (
        two_servers(
            app,
            "(req) => { globalThis.arrived(); req.on('error', () => globalThis.done(req.complete)).resume(); }",
            "const done = new Promise((resolve) => { globalThis.done = resolve; });"
            "const arrived = new Promise((resolve) => { globalThis.arrived = resolve; });"
            "const call = http.request(url, {method: 'POST', headers: {'content-length': '100'}});"
            "call.on('error', () => {}); call.write('ten bytes.'); await arrived; call.destroy(); return await done",
        )
        is False
    )


def test_the_time_for_an_answer_is_set_as_in_python(app: App) -> None:
    configure(app, mode="remote")
    answer = app.node(
        "const server = require('node:http').createServer(() => {});"
        "await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));"
        "const execution = {remoteWorkerUrl: `http://127.0.0.1:${server.address().port}`};"
        "return require('workflow-studio').proxyWebhook({token: 't', body: 'x'}, {execution})"
        ".finally(() => { server.closeAllConnections(); server.close(); })",
        WORKFLOW_COMPUTE_WEBHOOK_TIMEOUT="0.2",
    )
    assert code(answer) == "timeout"
