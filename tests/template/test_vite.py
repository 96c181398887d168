"""The adapter of apps that Vite builds and Nitro serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node

WRAP = "const { withWorkflowStudioVite: wrap } = require('workflow-studio/vite');"
NITRO = """
const plugin = wrap({}).plugins.at(-1);
const nitro = {options: {dev: DEV, preset: 'node-server', rootDir: process.cwd(), buildDir: process.cwd() + '/.nitro',
  plugins: [], handlers: [], devHandlers: [], output: {serverDir: process.cwd() + '/out'}}, hooks: {hook() {}}};
plugin.nitro.setup(nitro);
"""
SHAPES = [
    "wrap({a: 1, plugins: ['theirs']})",
    "wrap({a: 1, plugins: [['theirs']]})",
    "wrap(() => ({a: 1, plugins: ['theirs']}))({command: 'build', mode: 'production'})",
    "await wrap(async ({command}) => ({a: 1, command, plugins: ['theirs']}))({command: 'build'})",
    "await wrap(Promise.resolve({a: 1, plugins: ['theirs']}))",
]


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("vite") / "app", "vite", project_name="app") / "workflow-studio"


@pytest.fixture
def app(package: Path, tmp_path: Path) -> App:
    modules = tmp_path / "app/node_modules"
    modules.mkdir(parents=True)
    (modules / "workflow-studio").symlink_to(package)
    return App(tmp_path / "app")


@pytest.mark.parametrize("call", SHAPES)
def test_every_shape_of_a_vite_config_keeps_what_it_says(app: App, call: str) -> None:
    made = app.value(f"{WRAP} const made = {call}; return [made.a, made.plugins.flat().map((it) => it.name ?? it)]")
    assert made == [1, ["theirs", "workflow-studio"]]


def test_a_config_of_nothing_gets_the_plugin(app: App) -> None:
    assert app.value(f"{WRAP} return wrap().plugins.length") == 1


def test_vite_reroutes_before_the_sdk_looks(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    assert app.value(f"{WRAP} wrap({{}}); return process.env.WORKFLOW_TARGET_WORLD") == "workflow-studio/world-remote"


@pytest.mark.parametrize("dev", [True, False])
def test_nitro_serves_the_diagnostics_without_a_file_in_the_app(app: App, dev: bool) -> None:
    [handler] = app.value(
        WRAP + NITRO.replace("DEV", str(dev).lower()) + "return nitro.options.handlers.map(({handler, ...rest}) => "
        "({...rest, exists: require('node:fs').existsSync(handler)}))"
    )
    assert handler == {
        "route": "/api/workflow-studio/diagnostics/remote-ownership",
        "method": "GET",
        "exists": True,
    }


def test_the_dev_server_runs_the_package_from_outside_its_source(app: App) -> None:
    made = app.value(
        f"{WRAP} const plugin = wrap({{}}).plugins[0];"
        "const ask = (consumer, command) => plugin.configEnvironment('any', {consumer}, {command}) ?? null;"
        "return [ask('server', 'serve'), ask(undefined, 'serve'), ask('client', 'serve'), ask('server', 'build')]"
    )
    outside = {"resolve": {"external": ["workflow-studio"]}}
    assert made == [outside, outside, None, None]


def test_the_port_of_the_dev_server_is_known_once_it_listens(app: App) -> None:
    [port, seen] = app.value(
        WRAP + NITRO.replace("DEV", "true") + "const { getEnvironmentData } = require('node:worker_threads');"
        "const shared = getEnvironmentData('workflow-studio:dev-port'); const { once } = require('node:events');"
        "const httpServer = require('node:http').createServer(); plugin.configureServer({httpServer});"
        "httpServer.listen(0); await once(httpServer, 'listening');"
        "const { port } = httpServer.address(); httpServer.close(); return [port, Atomics.load(shared.port, 0)]"
    )
    assert port == seen


def test_a_dev_server_inside_another_server_is_no_error(app: App) -> None:
    assert app.value(f"{WRAP} wrap({{}}).plugins[0].configureServer({{httpServer: null}}); return 1") == 1
