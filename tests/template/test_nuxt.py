"""The adapter of Nuxt apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node

WRAP = "const { withWorkflowStudioNuxt: wrap } = require('workflow-studio/nuxt');"
SET_UP = """
const hooks = {};
const nitro = {
  options: {dev: DEV, preset: 'node-server', rootDir: process.cwd(), buildDir: process.cwd() + '/.nuxt/',
    baseURL: '/shop/', plugins: [], virtual: {}, handlers: [], devHandlers: [], moduleSideEffects: [],
    output: {serverDir: 'out'}},
  hooks: {hook: (name, run) => { (hooks[name] ??= []).push(run); }, callHook: async () => {}},
};
wrap({}).modules[0]({}, {hook: (name, run) => { if (name === 'nitro:init') run(nitro); }});
const { options } = nitro;
"""
RECOVERY = """
const { recoverRuns } = require('./node_modules/workflow-studio/nuxt-dev.cjs');
let heard;
const nitroApp = {hooks: {hookOnce: (name, run) => { heard = [name, run]; }}};
"""


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("nuxt") / "app", "nuxt", project_name="app") / "workflow-studio"


@pytest.fixture
def app(package: Path, tmp_path: Path) -> App:
    modules = tmp_path / "app/node_modules"
    modules.mkdir(parents=True)
    (modules / "workflow-studio").symlink_to(package)
    return App(tmp_path / "app")


def nitro(dev: bool) -> str:
    return WRAP + SET_UP.replace("DEV", str(dev).lower())


def test_the_config_keeps_what_it_says(app: App) -> None:
    made = app.value(
        f"{WRAP} const made = wrap({{ssr: false, modules: ['theirs', 'workflow/nuxt']}});"
        "return [made.ssr, made.modules.map((it) => it.name ?? it)]"
    )
    assert made == [False, ["theirs", "workflow/nuxt", "nuxtModule"]]


def test_a_promise_in_place_of_a_config_is_refused(app: App) -> None:
    assert "await" in app.error(f"{WRAP} wrap(Promise.resolve({{}}))")["message"]


def test_the_bundler_keeps_the_registrations_of_steps(app: App) -> None:
    [folder] = app.value(f"{nitro(dev=False)} return options.moduleSideEffects")
    assert folder.endswith("/.nuxt/workflow/")


@pytest.mark.parametrize("dev", [True, False])
def test_the_sdk_learns_at_every_start_of_the_path_that_the_app_lives_below(app: App, dev: bool) -> None:
    code = app.value(f"{nitro(dev)} return options.virtual['#workflow-studio/base-path']")
    # What Nitro's bundler makes of its own import.
    app.write("imports.mjs", "export const useRuntimeConfig = () => ({app: {baseURL: '/shop/'}});\n")
    app.write("plugin.mjs", code.replace("'#imports'", "'./imports.mjs'"))
    symbol = "globalThis[Symbol.for('@workflow/core/basePath')]"
    assert app.value(f"(await import('./plugin.mjs')).default(); {symbol} = ''; return {symbol}") == "/shop"


def test_runs_are_taken_up_again_in_development_only(app: App) -> None:
    plugins = "return options.plugins.filter((name) => name.startsWith('#'))"
    assert app.value(nitro(dev=True) + plugins) == ["#workflow-studio/base-path", "#workflow-studio/recovery"]
    assert app.value(nitro(dev=False) + plugins) == ["#workflow-studio/base-path"]


def test_runs_are_taken_up_again_once_the_new_worker_is_asked_something(app: App) -> None:
    app.write("node_modules/workflow/package.json", '{"exports": {"./api": "./api.mjs", "./runtime": "./runtime.mjs"}}')
    app.write("node_modules/workflow/api.mjs", "export {};\n")
    app.write(
        "node_modules/workflow/runtime.mjs",
        "export const getWorld = () => ({start: async () => { globalThis.started(); }});\n",
    )
    assert app.value(
        RECOVERY
        + "let count = 0; const started = new Promise((done) => { globalThis.started = () => done(++count); });"
        "recoverRuns(nitroApp, '/'); const before = count; const [name, run] = heard;"
        "const returned = run() ?? null; return [name, before, returned, await started]"
    ) == ["request", 0, None, 1]


def test_a_worker_that_took_over_asks_itself_through_the_dev_server(app: App) -> None:
    asked = app.value(
        RECOVERY + "const { setEnvironmentData } = require('node:worker_threads');"
        "const asked = new Promise((done) => {"
        " const server = require('node:http').createServer((request, response) => {"
        "  heard[1](); response.end(); done([request.method, request.url]); server.close(); });"
        " server.listen(0, () => {"
        "  const port = new Int32Array(new SharedArrayBuffer(4)); port[0] = server.address().port;"
        "  setEnvironmentData('workflow-studio:dev-port', {port}); recoverRuns(nitroApp, '/shop/'); }); });"
        "return asked"
    )
    assert asked == ["HEAD", "/shop/.well-known/workflow/v1/flow?__health"]


def test_nothing_is_taken_up_again_while_the_worker_executes(app: App) -> None:
    assert (
        app.value(
            f"{RECOVERY} recoverRuns(nitroApp, '/'); return heard ?? null",
            WORKFLOW_TARGET_WORLD="workflow-studio/world-remote",
        )
        is None
    )


def test_an_events_request_goes_through_as_it_is(app: App) -> None:
    assert app.value(
        "const { convertNuxtRequest: convert } = require('workflow-studio/nuxt');"
        "const request = new Request('http://app/');"
        "return [convert({web: {request}}) === request, convert(request) === request]"
    ) == [True, True]
