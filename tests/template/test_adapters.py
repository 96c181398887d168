"""The framework adapters and their request converters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.template.support import Answer, FakeWorker

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

PACKAGE = "./node_modules/workflow-studio"
REMOTE = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}
CONVERTERS = [
    ("next", "convertNextRequest", "source"),
    ("nitro", "convertNitroRequest", "{req: source}"),
    ("nitro", "convertNitroRequest", "{web: {request: source}, node: {}}"),
    ("nitro", "convertNitroRequest", "source"),
    ("sveltekit", "convertSvelteKitRequest", "{request: source}"),
]


@pytest.mark.parametrize(("file", "name", "event"), CONVERTERS)
def test_a_web_request_goes_through_as_it_is(app: App, file: str, name: str, event: str) -> None:
    assert app.value(
        f"const {{ {name}: convert }} = require('{PACKAGE}/{file}.cjs'); const source = new Request('http://app/');"
        f"return convert({event}) === source"
    )


@pytest.mark.parametrize(("file", "name", "event"), CONVERTERS)
def test_a_lookalike_keeps_method_headers_and_body(app: App, file: str, name: str, event: str) -> None:
    # A request of another realm or library has the fields of a Request without being one.
    assert app.value(
        f"const {{ {name}: convert }} = require('{PACKAGE}/{file}.cjs');"
        "const real = new Request('http://app/a?b=c', {method: 'PUT', headers: {'x-one': '1'}, body: '\\0ÿ',"
        " duplex: 'half'});"
        "const source = {url: real.url, method: real.method, headers: real.headers, body: real.body};"
        f"const made = convert({event});"
        "return [made instanceof Request, made.url, made.method, made.headers.get('x-one'), await made.text()]"
    ) == [True, "http://app/a?b=c", "PUT", "1", "\0ÿ"]


def test_next_reroutes_before_the_sdk_looks(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    assert (
        app.value(
            f"require('{PACKAGE}/next.cjs').withWorkflowStudioNext({{}}); return process.env.WORKFLOW_TARGET_WORLD"
        )
        == "workflow-studio/world-remote"
    )


def test_local_mode_changes_no_environment(app: App) -> None:
    assert (
        app.value(
            f"require('{PACKAGE}/next.cjs').withWorkflowStudioNext({{}});"
            "return process.env.WORKFLOW_TARGET_WORLD ?? null"
        )
        is None
    )


@pytest.mark.parametrize("config", ["{a: 1, outputFileTracingIncludes: {'/*': ['x'], '/y': ['z']}}", None])
def test_next_keeps_the_config_and_ships_the_package(app: App, config: str | None) -> None:
    given = f"async (phase) => ({{phase, ...{config}}})" if config else "{}"
    made = app.value(
        f"return require('{PACKAGE}/next.cjs').withWorkflowStudioNext({given})('phase-production-build', {{}})",
        **REMOTE,
    )
    includes = made["outputFileTracingIncludes"]
    assert includes["/*"][-2:] == ["./workflow-studio/**/*", "./node_modules/workflow-studio"]
    if config:
        assert (made["phase"], made["a"]) == ("phase-production-build", 1)
        assert includes == {"/*": ["x", *includes["/*"][-2:]], "/y": ["z"]}


def test_nitro_keeps_the_config_and_ships_the_package(app: App) -> None:
    made = app.value(
        f"const {{ withWorkflowStudioNitro }} = require('{PACKAGE}/nitro.cjs');"
        "const config = withWorkflowStudioNitro({serverDir: './server', modules: ['workflow/nitro']});"
        "require('node:fs').mkdirSync('out'); const hooks = {};"
        "const nitro = {options: {plugins: [], output: {serverDir: process.cwd() + '/out'}},"
        " hooks: {hook: (name, run) => { hooks[name] = run; }}};"
        "await config.modules[1].setup(nitro); await hooks.compiled();"
        "const copy = process.cwd() + '/out/node_modules/workflow-studio';"
        "return [config.serverDir, config.modules[0], nitro.options.plugins.length,"
        " typeof require(copy + '/world-remote.cjs').createWorld]"
    )
    assert made == ["./server", "workflow/nitro", 1, "function"]


@pytest.mark.parametrize("config", ["{a: 1, plugins: ['x']}", "Promise.resolve({a: 1, plugins: ['x']})"])
def test_sveltekit_keeps_the_config(app: App, config: str) -> None:
    made = app.value(
        f"const made = await require('{PACKAGE}/sveltekit.cjs').withWorkflowStudioSvelteKit({config});"
        "return [made.a, made.plugins[0], made.plugins[1].config()]"
    )
    assert made == [1, "x", {"ssr": {"external": ["workflow-studio"]}}]


def test_sveltekit_keeps_a_config_function(app: App) -> None:
    assert (
        app.value(
            f"const make = await require('{PACKAGE}/sveltekit.cjs').withWorkflowStudioSvelteKit("
            "({mode}) => ({mode}));"
            "return (await make({mode: 'test'})).mode"
        )
        == "test"
    )


@pytest.mark.parametrize(("file", "name"), [("next", "withWorkflowStudioNext"), ("nitro", "withWorkflowStudioNitro")])
def test_a_promise_in_place_of_a_config_is_refused(app: App, file: str, name: str) -> None:
    error = app.error(f"require('{PACKAGE}/{file}.cjs').{name}(Promise.resolve({{}}))")
    assert "await" in error["message"]


def test_the_proxy_starts_a_run_by_name(app: App) -> None:
    for worker in FakeWorker().serve():
        body = b'{"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}'
        worker.answers(Answer(202, body, "application/json"))
        value = app.value(
            f"const {{ proxyTriggerFromNext }} = require('{PACKAGE}/next.cjs');"
            "return proxyTriggerFromNext({payload: {workflowName: 'w', input: [1]}, idempotencyKey: 'k'})",
            WORKFLOW_COMPUTE_BASE_URL=worker.url,
            WORKFLOW_COMPUTE_API_KEY="key",
        )
        assert value["runId"] == "wrun_1"
        [request] = worker.requests
        assert (request.path, request.headers["idempotency-key"]) == ("/v1/runs", "k")
        assert request.headers["authorization"] == "Bearer key"
