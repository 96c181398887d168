"""What SvelteKit would get wrong, and the adapter puts right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

ADAPTER = "require('./node_modules/workflow-studio/sveltekit.cjs')"
MODULE = "/app/node_modules/@sveltejs/kit/src/runtime/server/respond.js"
TRANSFORM = f"""
const warnings = [];
console.warn = (text) => warnings.push(text);
const {{ plugins }} = await {ADAPTER}.withWorkflowStudioSvelteKit({{}});
const made = plugins.at(-1).transform(CODE, ID);
return [made?.code ?? null, warnings];
"""


def transform(app: App, code: str, file: str) -> tuple[str | None, list[str]]:
    code, warnings = app.value(TRANSFORM.replace("CODE", repr(code)).replace("ID", repr(file)))
    return code, warnings


@pytest.mark.parametrize("file", [MODULE, f"{MODULE}?v=1", "C:\\app" + MODULE.replace("/", "\\")])
def test_the_origin_check_of_forms_lets_webhooks_pass(app: App, file: str) -> None:
    code, warnings = transform(app, "respond(); if (forbidden) { refuse(); }", file)
    assert code is not None
    assert "if (forbidden && !isWebhookOfWorkflow(url, base)) { refuse(); }" in code
    assert "from 'workflow-studio/sveltekit'" in code
    assert code.endswith("prepareWorkflows(base);\n")
    assert warnings == []


@pytest.mark.parametrize("code", ["respond();", "if (forbidden) {} if (forbidden) {}"])
def test_a_check_in_another_place_stays_and_is_told_of(app: App, code: str) -> None:
    made, (warning,) = transform(app, code, MODULE)
    assert made is not None
    assert code in made
    assert "trustedOrigins" in warning


def test_no_other_module_is_touched(app: App) -> None:
    assert transform(app, "if (forbidden) {", "/app/src/respond.js") == (None, [])


@pytest.mark.parametrize(
    ("path", "base", "admitted"),
    [
        ("/.well-known/workflow/v1/webhook/abc", "", True),
        ("/shop/.well-known/workflow/v1/webhook/abc%2Fd", "/shop", True),
        ("/.well-known/workflow/v1/webhook/abc", "/shop", False),
        ("/shop/.well-known/workflow/v1/webhook/abc", "", False),
        ("/.well-known/workflow/v1/webhook/abc/def", "", False),
        ("/.well-known/workflow/v1/webhook/", "", False),
        ("/.well-known/workflow/v1/flow", "", False),
        ("/.well-known/workflow/v1/step", "", False),
        ("/%2Ewell-known/workflow/v1/webhook/abc", "", False),
        ("/api/workflow-studio/webhook/abc", "", True),
        ("/shop/api/workflow-studio/webhook/abc", "/shop", True),
        ("/api/workflow-studio/webhook/", "", False),
        ("/api/workflow-studio/webhook/abc/def", "", False),
        ("/api/workflow-studio/diagnostics/remote-ownership", "", False),
        ("/api/orders", "", False),
        ("/api/.well-known/workflow/v1/webhook/abc", "", False),
    ],
)
def test_only_a_webhook_is_exempt(app: App, path: str, base: str, admitted: bool) -> None:
    assert app.value(f"return {ADAPTER}.isWebhook(new URL('http://app{path}?a=b'), '{base}')") is admitted


def test_env_files_count_in_development_and_in_a_built_server(app: App) -> None:
    app.write(
        ".env", "WORKFLOW_TARGET_WORLD=workflow-studio/world-remote\nWORKFLOW_COMPUTE_BASE_URL=http://a\nOTHER=x\n"
    )
    app.write(".env.development", "WORKFLOW_COMPUTE_BASE_URL=http://b\n")
    read = "const { WORKFLOW_COMPUTE_BASE_URL, OTHER } = process.env; return [WORKFLOW_COMPUTE_BASE_URL, OTHER ?? null]"
    wrap = f"await {ADAPTER}.withWorkflowStudioSvelteKit({{}});"
    assert app.value(wrap + read, NODE_ENV="development") == ["http://b", None]
    assert app.value(f"{ADAPTER}.prepareServer('');" + read) == ["http://a", None]
    assert app.value(wrap + read, WORKFLOW_COMPUTE_BASE_URL="http://c") == ["http://c", None]


def test_a_built_server_does_not_start_where_its_workflows_would_run_in_the_wrong_place(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    error = app.error(f"{ADAPTER}.prepareServer('')")
    assert error["code"] == "remote_reroute_missing"


def test_the_sdk_calls_an_app_below_a_path(app: App) -> None:
    code = f"{ADAPTER}.prepareServer('/shop'); return globalThis[Symbol.for('@workflow/core/basePath')]"
    assert app.value(code) == "/shop"


SENT = """
const { createServer } = require('node:http');
const { webhookAsSent, convertSvelteKitRequest } = ADAPTER;
const seen = [];
const server = createServer(async (req, res) => {
  // As adapter-node does without ORIGIN.
  const { method, headers } = req;
  const request = new Request(`https://${headers.host}${req.url}`,
    { method, headers, body: require('node:stream').Readable.toWeb(req), duplex: 'half' });
  const sent = req.url.startsWith('/api/convert') ? convertSvelteKitRequest({ request, platform: { req } })
    : webhookAsSent(request, { platform: { req } }, '/shop');
  seen.push([sent.url.replace(headers.host, 'host'), await sent.text(), sent.headers.get('x-mark'), sent === request]);
  res.end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
for (const [path, headers] of [
  ['/shop/.well-known/workflow/v1/webhook/a?b=c', {}],
  ['/shop/.well-known/workflow/v1/webhook/a', { 'x-forwarded-proto': 'https' }],
  ['/api/convert', {}],
  ['/shop/orders', {}],
]) {
  const url = `http://127.0.0.1:${server.address().port}${path}`;
  await fetch(url, { method: 'POST', body: 'form=1', headers: { 'x-mark': 'm', ...headers } });
}
server.closeAllConnections();
server.close();
return seen;
""".replace("ADAPTER", ADAPTER)


def test_a_webhook_has_the_url_that_it_was_sent_to(app: App) -> None:
    webhook = "//host/shop/.well-known/workflow/v1/webhook/a"
    assert app.value(SENT) == [
        [f"http:{webhook}?b=c", "form=1", "m", False],
        # Behind a proxy that is not known, what adapter-node takes it for is as good as anything.
        [f"https:{webhook}", "form=1", "m", True],
        ["http://host/api/convert", "form=1", "m", False],
        ["https://host/shop/orders", "form=1", "m", True],
    ]
    trusted = app.value(SENT, WORKFLOW_STUDIO_TRUSTED_PROXIES="127.0.0.1")
    assert [url for url, *_ in trusted[:2]] == [f"http:{webhook}?b=c", f"https:{webhook}"]


@pytest.mark.parametrize("name", ["ORIGIN", "PROTOCOL_HEADER", "MY_PROTOCOL_HEADER"])
def test_what_adapter_node_is_told_of_the_origin_counts(app: App, name: str) -> None:
    assert all(url.startswith("https:") for url, *_ in app.value(SENT, **{name: "x"}))


def test_every_request_passes_the_correction_of_webhooks(app: App) -> None:
    begin = "function internal_respond(request, options, manifest, state) { const url = new URL(request.url);"
    code, warnings = transform(app, f"{begin} if (forbidden) {{ }} }}", MODULE)
    assert code is not None
    corrected = "request = workflowWebhookAsSent(request, state, base);\n\tconst url = new URL(request.url);"
    assert code.count(corrected) == 1
    assert warnings == []
