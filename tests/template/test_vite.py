"""The adapters of apps that Vite builds and Nitro serves: plain Vite, TanStack Start, React Router."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node

NAMES = {"vite": "Vite", "tanstack-start": "TanStackStart", "react-router": "ReactRouter"}
WRAP = "const { withWorkflowStudioVite: wrap } = require('workflow-studio/vite');"
NITRO = """
const plugin = wrap({}).plugins.at(-1);
const nitro = {options: {dev: DEV, preset: 'node-server', rootDir: process.cwd(), buildDir: process.cwd() + '/.nitro',
  plugins: [], handlers: [], devHandlers: [], output: {serverDir: process.cwd() + '/out'}},
  hooks: {hook() {}, async callHook() {}}};
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
def packages(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("apps")
    return {name: render(template, folder / name, name, "existing") / "workflow-studio" for name in NAMES}


def app_with(package: Path, folder: Path) -> App:
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    (modules / "workflow-studio").symlink_to(package)
    return App(folder)


@pytest.fixture
def app(packages: dict[str, Path], tmp_path: Path) -> App:
    return app_with(packages["vite"], tmp_path / "app")


@pytest.fixture
def routed(packages: dict[str, Path], tmp_path: Path) -> App:
    """An app of React Router."""
    return app_with(packages["react-router"], tmp_path / "app")


@pytest.mark.parametrize(("adapter", "name"), NAMES.items())
def test_the_helpers_have_the_names_users_know(
    packages: dict[str, Path], tmp_path: Path, adapter: str, name: str
) -> None:
    app = app_with(packages[adapter], tmp_path / "app")
    exports = app.value(f"return Object.keys(require('workflow-studio/{adapter}')).sort()")
    assert exports == [
        f"convert{name}Request", f"proxyTriggerFrom{name}", f"proxyWebhookFrom{name}", f"withWorkflowStudio{name}",
    ]  # fmt: skip
    types = (packages[adapter] / f"{adapter}.d.ts").read_text()
    assert [export for export in exports if export not in types] == []


@pytest.mark.parametrize(("adapter", "name"), NAMES.items())
def test_every_adapter_brings_the_same_plugin(
    packages: dict[str, Path], tmp_path: Path, adapter: str, name: str
) -> None:
    app = app_with(packages[adapter], tmp_path / "app")
    made = app.value(
        f"const {{ withWorkflowStudio{name}: wrap }} = require('workflow-studio/{adapter}');"
        "return wrap({plugins: ['theirs']}).plugins.map((it) => it.name ?? it)"
    )
    assert made[:2] == ["theirs", "workflow-studio"]


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


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["nitro:init", "workflow:nitro"], None),
        (["vite:css", "workflow:nitro"], "nitro()"),
        (["nitro:init", "vite:css"], "workflow()"),
    ],
)
def test_a_build_without_a_server_or_the_routes_of_the_sdk_is_refused(
    app: App, names: list[str], missing: str | None
) -> None:
    check = f"{WRAP} const plugin = wrap({{}}).plugins[0]; const plugins = {names}.map((name) => ({{name}}));"
    answer = app.node(f"{check} plugin.configResolved({{command: 'build', plugins}});")
    if missing:
        assert answer["error"]["code"] == "invalid_config"
        assert f"Add {missing}, imported from" in answer["error"]["message"]
    else:
        assert "error" not in answer
    # Tests and other tools load the config, too; and Nitro builds inside its own build.
    app.value(f"{check} plugin.configResolved({{command: 'serve', plugins}})")
    app.value(f"{check} globalThis.__nitro_build__ = true; plugin.configResolved({{command: 'build', plugins}})")


def test_a_preview_of_a_build_needs_nothing(app: App) -> None:
    assert app.value(
        f"{WRAP} const {{ apply }} = wrap({{}}).plugins[0];"
        "return [apply({}, {isPreview: true}), apply({}, {isPreview: false}), apply({}, {})]"
    ) == [False, True, True]


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


BUNDLES = {
    ".nitro/workflow/workflows.mjs": "// lib/helper.ts\n// src/\u00fcber.ts\n// workflows/order.ts\n",
    ".nitro/workflow/steps.mjs": "// lib/prices.js\n",
}


@pytest.mark.parametrize(
    ("changed", "calls"),
    [
        # The SDK leaves the first call of the hook out.
        (["lib/helper.ts"], 2),
        (["lib/helper.ts", "lib/prices.js", "src/\u00fcber.ts"], 4),
        # With a workflow in it, the SDK's own plugin builds.
        (["workflows/order.ts"], 0),
        (["src/page.ts", "lib/helper.css", "../helper.ts", "node_modules/lib/helper.ts", "gone.ts"], 0),
    ],
)
def test_a_change_of_what_workflows_import_builds_them_again(app: App, changed: list[str], calls: int) -> None:
    for name, text in BUNDLES.items():
        app.write(name, text)
    for name in changed:
        if name != "gone.ts":
            app.write(name, "async function f() {\n  'use step';\n}\n" if "order" in name else "export default 1;\n")
    made = app.value(
        WRAP + NITRO.replace("DEV", "true") + f"const files = {changed!r}; let calls = 0; let listener;"
        "nitro.hooks.callHook = async (name) => { calls += name === 'dev:reload'; };"
        "plugin.configureServer({watcher: {on: (event, run) => { listener = event === 'change' && run; }}});"
        "for (const file of files) await listener(require('node:path').join(process.cwd(), file)); return calls"
    )
    assert made == calls


def test_a_build_that_fails_leaves_the_dev_server_alive(app: App) -> None:
    for name, text in {**BUNDLES, "lib/helper.ts": "export default 1"}.items():
        app.write(name, text)
    logged = app.value(
        WRAP + NITRO.replace("DEV", "true") + "let listener; const logged = [];"
        "nitro.hooks.callHook = async () => { throw new Error('Unexpected end of file'); };"
        "plugin.configureServer({config: {logger: {error: (text) => logged.push(text)}},"
        " watcher: {on: (_, run) => { listener = run; }}});"
        "await listener(process.cwd() + '/lib/helper.ts'); return logged"
    )
    assert logged == ["Workflow Studio: Unexpected end of file"]


ROUTER = "const { withWorkflowStudioReactRouter: wrap } = require('workflow-studio/react-router');"


def test_nitro_gets_a_server_as_the_entry_of_a_react_router_app(routed: App) -> None:
    made = routed.value(
        f"{ROUTER} const entry = wrap({{}}).plugins[1].config({{}}).environments.ssr.build.rollupOptions.input;"
        "return [require('node:path').basename(entry), require('node:fs').existsSync(entry)]"
    )
    assert made == ["react-router-server.mjs", True]


@pytest.mark.parametrize("option", ["rollupOptions", "rolldownOptions"])
def test_an_entry_of_the_app_stays(routed: App, option: str) -> None:
    config = f"{{environments: {{ssr: {{build: {{{option}: {{input: './server/ssr.ts'}}}}}}}}}}"
    assert routed.value(f"{ROUTER} return wrap({config}).plugins[1].config({config}) ?? null") is None


@pytest.mark.parametrize(
    ("config", "folder"),
    [
        ("{root: process.cwd()}", "build"),
        (
            "{root: process.cwd(), __reactRouterPluginContext: {reactRouterConfig: {buildDirectory: cwd + '/out'}}}",
            "out",
        ),
    ],
)
def test_react_router_finds_its_manifest_though_nitro_moved_the_build(routed: App, config: str, folder: str) -> None:
    routed.write(".output/public/.vite/manifest.json", "{}")
    applies = routed.value(
        f"{ROUTER} const cwd = process.cwd(); const plugin = wrap({{}}).plugins[2]; plugin.configResolved({config});"
        "plugin.writeBundle({dir: process.cwd() + '/.output/public'});"
        "plugin.writeBundle({dir: process.cwd() + '/without'});"
        "return ['client', 'ssr'].map((name) => plugin.applyToEnvironment({name}))"
    )
    assert applies == [True, False]
    assert (routed.folder / folder / "client/.vite/manifest.json").read_text() == "{}"
