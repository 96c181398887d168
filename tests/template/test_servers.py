"""Express, Fastify and Hono: what the adapters do, without the frameworks themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    MakeApp: TypeAlias = Callable[[str, str], App]

SERVERS = {"express": "Express", "fastify": "Fastify", "hono": "Hono"}
DIAGNOSTICS = "/api/workflow-studio/diagnostics/remote-ownership"
# What Nitro gives to modules, as far as the adapters use it.
NITRO = """
const nitro = (routes, more = {}) => {
  const options = {dev: true, preset: 'node-server', rootDir: process.cwd(), buildDir: process.cwd() + '/.nitro',
    plugins: [], handlers: [], devHandlers: [], virtual: {}, routes, output: {serverDir: process.cwd() + '/out'},
    ...more};
  return {options, hooks: {hook() {}, async callHook() {}}};
};
const setUp = (config, given) => {
  for (const module of config.modules) if (typeof module !== 'string') module.setup(given);
  return given.options;
};
"""
LISTEN = """
const { once } = require('node:events');
const { request } = require('node:http');
const call = async (port, path, {method = 'GET', headers = {}, body} = {}) => {
  const sent = request({port, path, method, headers: {connection: 'close', ...headers}});
  sent.end(body);
  const [got] = await once(sent, 'response');
  let text = '';
  for await (const part of got) text += part;
  return [got.statusCode, text];
};
const serve = async (listener, use) => {
  const server = require('node:http').createServer(listener).listen(0);
  await once(server, 'listening');
  try { return await use(server.address().port); } finally { server.close(); }
};
"""
OWN = """
const theirs = (request, response) => response.end('theirs ' + request.url);
const { withWorkflowStudioNode } = require('workflow-studio/node');
"""
REMOTE = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}


def nitro_and(framework: str) -> str:
    """Return the stubs of Nitro, and the framework's wrapper as ``wrap``."""
    return f"{NITRO} const {{ withWorkflowStudio{SERVERS[framework]}: wrap }} = require('workflow-studio/{framework}');"


def served(make_app: MakeApp, use: str, **environment: str) -> Any:
    """Return what a function makes of the port of an app that Node.js serves by itself."""
    script = f"{LISTEN} {OWN} return serve(withWorkflowStudioNode(theirs), {use})"
    return make_app("express", "node").value(script, **environment)


@pytest.fixture(scope="module")
def packages(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Render the package of a framework once."""
    known: dict[tuple[str, str], Path] = {}

    def get(framework: str, server: str) -> Path:
        key = (framework, server)
        if key not in known:
            folder = tmp_path_factory.mktemp("-".join(key)) / "app"
            known[key] = render(template, folder, framework, "existing", server=server) / "workflow-studio"
        return known[key]

    return get


@pytest.fixture
def make_app(packages: Callable[[str, str], Path], tmp_path: Path) -> MakeApp:
    def make(framework: str, server: str) -> App:
        modules = tmp_path / "app/node_modules"
        modules.mkdir(parents=True)
        (modules / "workflow-studio").symlink_to(packages(framework, server))
        return App(tmp_path / "app")

    return make


# What the template makes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ts", "js"])
@pytest.mark.parametrize("framework", SERVERS)
def test_the_question_decides_who_listens(template: Path, tmp_path: Path, framework: str, language: str) -> None:
    by_nitro = render(template, tmp_path / "by-nitro", framework, language=language)
    by_itself = render(template, tmp_path / "by-itself", framework, language=language, server="node")
    assert (by_nitro / f"nitro.config.{language}").is_file()
    assert not list(by_itself.glob("nitro.config.*"))
    entries = [(folder / f"src/index.{language}").read_text() for folder in (by_nitro, by_itself)]
    assert ["export default app" in text for text in entries] == [True, False]
    assert [f"withWorkflowStudio{SERVERS[framework]}(" in text for text in entries] == [False, True]
    scripts = json.loads((by_itself / "package.json").read_text())["scripts"]
    assert scripts["start"] == f"node --import workflow-studio/register src/index.{language}"
    assert "nitro" not in (by_itself / "package.json").read_text()


@pytest.mark.parametrize("framework", SERVERS)
def test_the_answer_is_kept_for_the_update(template: Path, tmp_path: Path, framework: str) -> None:
    folder = render(template, tmp_path / "app", framework, server="node")
    assert yaml.safe_load((folder / ".copier-answers.yml").read_text())["server"] == "node"


def test_other_frameworks_are_not_asked_who_listens(template: Path, tmp_path: Path) -> None:
    folder = render(template, tmp_path / "app", "nextjs")
    assert "server" not in yaml.safe_load((folder / ".copier-answers.yml").read_text())


@pytest.mark.parametrize("server", ["nitro", "node"])
@pytest.mark.parametrize("framework", SERVERS)
def test_everything_that_the_package_exports_is_there(
    template: Path, tmp_path: Path, framework: str, server: str
) -> None:
    folder = render(template, tmp_path / "app", framework, "existing", server=server) / "workflow-studio"
    exports = json.loads((folder / "package.json").read_text())["exports"]
    wanted = {".", "./world-remote", f"./{framework}", "./run-options", "./testing", "./vitest", "./package.json"}
    assert exports.keys() == wanted | ({"./node", "./register", "./dev"} if server == "node" else set())
    for target in exports.values():
        for path in target.values() if isinstance(target, dict) else [target]:
            assert (folder / path).is_file()


# Nitro --------------------------------------------------------------------------------------------------------------


@pytest.mark.node
@pytest.mark.parametrize("framework", ["express", "fastify"])
@pytest.mark.parametrize("route", ["'./src/index.ts'", "{handler: './src/index.ts', format: 'node'}"])
def test_nitro_calls_the_app_by_a_handler_of_ours(make_app: MakeApp, framework: str, route: str) -> None:
    app = make_app(framework, "nitro")
    made = app.value(
        f"{nitro_and(framework)}"
        f"const options = setUp(wrap({{modules: ['workflow/nitro'], routes: {{'/**': {route}, '/x': 'y'}}}}),"
        f" nitro({{'/**': {route}, '/x': 'y'}}));"
        "return [options.routes, options.virtual['#workflow-studio/app']]"
    )
    assert made[0] == {"/x": "y", "/**": {"handler": "#workflow-studio/app", "format": "node"}}
    assert f'import app from "{app.folder}/src/index.ts";' in made[1]
    assert f'nitro-{framework}.mjs";' in made[1]


@pytest.mark.node
def test_hono_answers_nitro_itself(make_app: MakeApp) -> None:
    made = make_app("hono", "nitro").value(
        f"{nitro_and('hono')}"
        "const options = setUp(wrap({}), nitro({'/**': './src/index.ts'})); return [options.routes, options.virtual]"
    )
    assert made == [{"/**": "./src/index.ts"}, {}]


@pytest.mark.node
@pytest.mark.parametrize("framework", SERVERS)
def test_the_diagnostics_need_no_route_of_the_app(make_app: MakeApp, framework: str) -> None:
    given = f"nitro({{'/**': './app.js', '{DIAGNOSTICS}': './theirs.ts'}})"
    made = make_app(framework, "nitro").value(
        f"{nitro_and(framework)}"
        "const paths = (given) => setUp(wrap({}), given).handlers.map((it) => [it.method, it.route]);"
        f"return [paths(nitro({{'/**': './app.js'}})), paths({given})]"
    )
    assert made == [[["GET", DIAGNOSTICS]], []]


@pytest.mark.node
@pytest.mark.parametrize("framework", SERVERS)
def test_a_config_that_names_no_app_is_refused_with_the_line_to_add(make_app: MakeApp, framework: str) -> None:
    error = make_app(framework, "nitro").error(f"{nitro_and(framework)} setUp(wrap({{}}), nitro({{}}))")
    assert error["code"] == "invalid_config"
    assert f"withWorkflowStudio{SERVERS[framework]}" in error["message"]
    assert "routes: { '/**': './src/index' }" in error["message"]


@pytest.mark.node
def test_the_entry_that_nitro_finds_by_itself_is_the_app(make_app: MakeApp) -> None:
    made = make_app("express", "nitro").value(
        f"{nitro_and('express')}"
        "const options = setUp(wrap({}), nitro({}, {serverEntry: {handler: '/app/server.ts', format: 'web'}}));"
        "return options.virtual['#workflow-studio/app'].split('\\n')[0]"
    )
    assert made == 'import app from "/app/server.ts";'


@pytest.mark.node
def test_what_express_does_not_know_is_left_to_express(make_app: MakeApp) -> None:
    # Whoever sees a third parameter passes one, and then a 404 of Express is an empty 200.
    made = make_app("express", "nitro").value(
        "const { serve } = await import(require.resolve('workflow-studio/package.json')"
        ".replace('package.json', 'nitro-express.mjs'));"
        "const seen = []; const handler = serve((...given) => seen.push(given));"
        "handler('request', 'response', () => {}); return [handler.length, seen]"
    )
    assert made == [2, [["request", "response"]]]


@pytest.mark.node
def test_fastify_is_ready_before_nitro_calls_it(make_app: MakeApp) -> None:
    made = make_app("fastify", "nitro").value(
        "const { serve } = await import(require.resolve('workflow-studio/package.json')"
        ".replace('package.json', 'nitro-fastify.mjs'));"
        "const seen = []; const app = {ready: async () => { seen.push('ready'); }, routing: (...it) => seen.push(it)};"
        "const handler = await serve(app); handler('request', 'response');"
        "(await serve((...it) => seen.push(['function', ...it])))('a', 'b'); return seen"
    )
    assert made == ["ready", ["request", "response"], ["function", "a", "b"]]


# Node.js ------------------------------------------------------------------------------------------------------------


@pytest.mark.node
def test_other_requests_are_the_apps(make_app: MakeApp) -> None:
    made = served(
        make_app,
        "(port) => Promise.all(["
        "call(port, '/'), call(port, '/.well-known/other'), call(port, '/a?b=/.well-known/workflow/v1/flow')])",
    )
    assert [text for _, text in made] == [
        "theirs /",
        "theirs /.well-known/other",
        "theirs /a?b=/.well-known/workflow/v1/flow",
    ]


@pytest.mark.node
@pytest.mark.parametrize("route", ["flow", "step"])
def test_queue_messages_are_refused_and_remembered_while_the_worker_executes(make_app: MakeApp, route: str) -> None:
    message = (
        "{method: 'POST', headers: {'content-type': 'application/json', 'x-workflow-message-id': 'm'}, body: '{}'}"
    )
    refused, report = served(
        make_app,
        "async (port) => ["
        f"await call(port, '/.well-known/workflow/v1/{route}', {message}), await call(port, '{DIAGNOSTICS}')]",
        NODE_ENV="development",
        **REMOTE,
    )
    assert (refused[0], json.loads(refused[1])["code"]) == (409, "remote_execution_enabled")
    assert json.loads(report[1])["unexpectedHits"] == 1


@pytest.mark.node
def test_an_app_without_its_loader_says_what_is_missing(make_app: MakeApp) -> None:
    app = make_app("express", "node")
    error = app.error(f"{OWN} withWorkflowStudioNode(theirs)", NODE_ENV="production")
    assert error["code"] == "loader_missing"
    assert "--import workflow-studio/register" in error["message"]
    # Tests of the app may import it without.
    assert app.value(f"{OWN} return typeof withWorkflowStudioNode(theirs)") == "function"


@pytest.mark.node
def test_a_queue_route_loads_what_was_built(make_app: MakeApp) -> None:
    made = make_app("express", "node").value(
        f"{LISTEN} {OWN} const loaded = [];"
        "globalThis[Symbol.for('workflow-studio//handlers')] = async (route) => { loaded.push(route);"
        " return async (request) => new Response(await request.text(), {status: 202}); };"
        "return serve(withWorkflowStudioNode(theirs), async (port) =>"
        " [await call(port, '/.well-known/workflow/v1/step', {method: 'POST', body: 'message'}), loaded])"
    )
    assert made == [[202, "message"], ["step"]]


@pytest.mark.node
@pytest.mark.parametrize("path", ["", "webhook/", "webhook/a/b", "other", "manifest.json"])
def test_nothing_else_of_the_sdk_is_taken_from_the_app(make_app: MakeApp, path: str) -> None:
    made = served(make_app, f"(port) => call(port, '/.well-known/workflow/v1/{path}')")
    assert made == [200, f"theirs /.well-known/workflow/v1/{path}"]


@pytest.mark.node
def test_the_routes_are_in_front_of_what_express_uses_later(make_app: MakeApp) -> None:
    made = make_app("express", "node").value(
        "const used = []; const app = {use: (it) => used.push(it)};"
        "const same = require('workflow-studio/express').withWorkflowStudioExpress(app) === app; app.use('parser');"
        "const next = []; used[0]({url: '/orders', originalUrl: '/orders'}, {}, () => next.push('next'));"
        "return [same, used.length, used[1], next]"
    )
    assert made == [True, 2, "parser", ["next"]]


@pytest.mark.node
def test_hono_gets_the_request_as_it_came(make_app: MakeApp) -> None:
    made = make_app("hono", "node").value(
        "let middleware; require('workflow-studio/hono').withWorkflowStudioHono({use: (it) => { middleware = it; }});"
        "const path = '/.well-known/workflow/v1/flow';"
        "const context = (path) => ({req: {path, raw: new Request('http://app' + path, {method: 'POST'})}});"
        "const own = await middleware(context(path), () => 'next');"
        "return [own.status, await middleware(context('/orders'), async () => 'next')]",
        NODE_ENV="development",
        **REMOTE,
    )
    assert made == [409, "next"]
