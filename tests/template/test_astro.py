"""The adapter of Astro apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node

WRAP = "const { withWorkflowStudioAstro: wrap } = require('workflow-studio/astro');"
SET_UP = """
const said = {updates: [], middleware: [], warnings: []};
const srcDir = require('node:url').pathToFileURL(process.cwd() + '/');
const config = {base: '/', srcDir, fetchFile: 'fetch', security: {checkOrigin: true}, ...GIVEN};
wrap({}).integrations[0].hooks['astro:config:setup']({
  config,
  updateConfig: (update) => { said.updates.push(update); },
  addMiddleware: (middleware) => { said.middleware.push(middleware); },
  logger: {warn: (text) => { said.warnings.push(text); }},
});
"""
BUILD = """
const updates = [];
const [own] = wrap({}).integrations;
own.hooks['astro:config:setup']({config: {base: '/shop'}, updateConfig: (update) => { updates.push(update); }});
own.hooks['astro:config:done']({config: {base: '/shop', adapter: {name: NAME}, build: {serverEntry: 'entry.mjs'}}});
const [plugin] = updates[0].vite.plugins;
const chunk = (name, chunk) => plugin.renderChunk.call({environment: {name}}, 'rest;', chunk)?.code ?? null;
"""
MIDDLEWARE = """
const { onRequest } = await import('./node_modules/workflow-studio/astro-middleware.mjs');
const ask = async (method, routePattern, url, headers, isPrerendered = false) => {
  const context = {routePattern, url: new URL(url), isPrerendered, request: new Request(url, {method, headers})};
  return (await onRequest(context, () => new Response('passed'))).status;
};
"""
WEBHOOK = "/.well-known/workflow/v1/webhook/[token]"
FLOW = "/.well-known/workflow/v1/flow"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("astro") / "app", "astro", project_name="app") / "workflow-studio"


@pytest.fixture
def app(package: Path, tmp_path: Path) -> App:
    modules = tmp_path / "app/node_modules"
    modules.mkdir(parents=True)
    (modules / "workflow-studio").symlink_to(package)
    return App(tmp_path / "app")


def set_up(app: App, given: str = "{}") -> Any:
    return app.value(WRAP + SET_UP.replace("GIVEN", given) + "return said")


def test_the_config_keeps_what_it_says(app: App) -> None:
    made = app.value(
        f"{WRAP} const made = wrap({{output: 'server', integrations: ['theirs']}});"
        "return [made.output, made.integrations.map((it) => it.name ?? it)]"
    )
    assert made == ["server", ["workflow-studio", "theirs"]]


def test_a_promise_in_place_of_a_config_is_refused(app: App) -> None:
    assert "await" in app.error(f"{WRAP} wrap(Promise.resolve({{}}))")["message"]


def test_settings_in_an_env_file_count_while_astro_reads_its_config(app: App) -> None:
    app.write(".env", "WORKFLOW_TARGET_WORLD=workflow-studio/world-remote\nOTHER=1\n")
    seen = "return [process.env.WORKFLOW_TARGET_WORLD, process.env.OTHER ?? null]"
    assert app.value(f"{WRAP} wrap({{}}); {seen}") == ["workflow-studio/world-remote", None]
    assert app.value(f"{WRAP} wrap({{}}); {seen}", WORKFLOW_TARGET_WORLD="local") == ["local", None]


def test_settings_in_an_env_file_count_when_a_built_server_starts(app: App) -> None:
    app.write(".env", "WORKFLOW_TARGET_WORLD=workflow-studio/world-remote\n")
    start = "require('workflow-studio/astro').prepareServer('/');"
    assert app.value(f"{start} return process.env.WORKFLOW_TARGET_WORLD") == "workflow-studio/world-remote"


def test_a_built_server_does_not_start_half_rerouted(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    error = app.error("require('workflow-studio/astro').prepareServer('/')", WORKFLOW_TARGET_WORLD="local")
    assert error["code"] == "remote_reroute_missing"


def test_the_sdk_learns_of_the_path_that_the_app_lives_below(app: App) -> None:
    symbol = "globalThis[Symbol.for('@workflow/core/basePath')]"
    assert (
        app.value(
            f"require('workflow-studio/astro').prepareServer('/shop/'); {symbol} = ''; // as its handlers do\n"
            f"return {symbol}"
        )
        == "/shop"
    )


def test_the_origin_check_moves_into_a_middleware(app: App) -> None:
    said = set_up(app)
    assert {"security": {"checkOrigin": False}} in said["updates"]
    [middleware] = said["middleware"]
    assert middleware["order"] == "pre"
    assert middleware["entrypoint"].endswith("/workflow-studio/astro-middleware.mjs")


def test_an_origin_check_that_is_off_stays_off(app: App) -> None:
    said = set_up(app, "{security: {checkOrigin: false}}")
    assert said["middleware"] == []
    assert not [update for update in said["updates"] if "security" in update]


def test_an_app_that_composes_its_own_handling_keeps_astros_check(app: App) -> None:
    app.write("fetch.ts", "export default {};\n")
    said = set_up(app)
    assert said["middleware"] == []
    assert not [update for update in said["updates"] if "security" in update]
    assert "403" in said["warnings"][0]


def test_a_setting_that_hides_the_sdks_routes_is_named(app: App) -> None:
    assert "'ignore'" in set_up(app, "{trailingSlash: 'always'}")["warnings"][0]
    assert set_up(app, "{trailingSlash: 'never'}")["warnings"] == []


@pytest.mark.parametrize(
    ("status", "method", "route", "headers"),
    [
        (200, "POST", WEBHOOK, FORM),
        (200, "POST", WEBHOOK, {}),
        (200, "PUT", WEBHOOK, {"content-type": "text/plain; charset=utf-8"}),
        (200, "POST", "/api/workflow-studio/webhook/[token]", FORM),
        (200, "POST", "/api/workflow-studio/webhook/stripe", {}),
        (403, "POST", "/api/workflow-studio/webhooks", FORM),
        (200, "GET", "/api/orders", FORM),
        (200, "POST", "/api/orders", {"content-type": "application/json"}),
        (200, "POST", "/api/orders", FORM | {"origin": "http://app"}),
        (403, "POST", "/api/orders", FORM),
        (403, "POST", "/api/orders", FORM | {"origin": "http://evil"}),
        (403, "POST", "/api/orders", {"content-type": "Multipart/Form-Data; boundary=x"}),
        (403, "DELETE", "/api/orders", {}),
        (403, "POST", FLOW, FORM),
    ],
)
def test_only_webhooks_pass_the_origin_check(
    app: App, status: int, method: str, route: str, headers: dict[str, str]
) -> None:
    assert app.value(f"{MIDDLEWARE} return ask('{method}', '{route}', 'http://app/x', {headers})") == status


def test_health_checks_and_prerendered_pages_pass_the_origin_check(app: App) -> None:
    assert app.value(
        f"{MIDDLEWARE} return [await ask('POST', '{FLOW}', 'http://app/x?__health', {{}}),"
        "await ask('POST', '/page', 'http://app/page', {}, true),"
        "await ask('POST', '/page', 'http://app/page?__health', {})]"
    ) == [200, 200, 403]


def test_only_the_entry_of_a_node_server_gets_the_check_at_the_start(app: App) -> None:
    asked = (
        "return [chunk('ssr', {isEntry: true, fileName: 'entry.mjs'}),"
        "chunk('ssr', {isEntry: true, fileName: 'pages/index.mjs'}),"
        "chunk('ssr', {isEntry: false, fileName: 'entry.mjs'}),"
        "chunk('prerender', {isEntry: true, fileName: 'entry.mjs'})]"
    )
    entry, *others = app.value(WRAP + BUILD.replace("NAME", "'@astrojs/node'") + asked)
    assert entry.startswith("import { prepareServer as prepareWorkflowStudio } from 'workflow-studio/astro';\n")
    assert 'prepareWorkflowStudio("/shop");\nrest;' in entry
    assert others == [None, None, None]
    assert app.value(WRAP + BUILD.replace("NAME", "'@astrojs/vercel'") + asked) == [None] * 4


def test_vite_leaves_the_package_outside_of_servers(app: App) -> None:
    made = app.value(
        WRAP
        + BUILD.replace("NAME", "'@astrojs/node'")
        + "return ['ssr', 'prerender', 'client'].map((name) => plugin.configEnvironment(name) ?? null)"
    )
    assert made == [{"resolve": {"external": ["workflow-studio"]}}] * 2 + [None]


def test_a_contexts_request_goes_through_as_it_is(app: App) -> None:
    assert app.value(
        "const { convertAstroRequest: convert } = require('workflow-studio/astro');"
        "const request = new Request('http://app/');"
        "return [convert({request}) === request, convert(request) === request]"
    ) == [True, True]
