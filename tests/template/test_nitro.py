"""What Workflow Studio does inside Nitro, for every adapter that builds with it."""

from __future__ import annotations

import pytest

from tests.template.support import App

pytestmark = pytest.mark.node

PACKAGE = "./node_modules/workflow-studio"
REMOTE = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}
NITRO = """
const nitro = {
  options: {dev: DEV, preset: 'node-server', rootDir: process.cwd(), buildDir: process.cwd() + '/.nitro', plugins: [],
    devHandlers: [], output: {serverDir: process.cwd() + '/out'}},
  hooks: {hook: (name, run) => { hooks[name] = run; }, callHook: async (name) => await hooks[name]?.()},
};
const hooks = {};
require('node:fs').mkdirSync('out', {recursive: true});
const { withWorkflowStudioNitro } = require('./node_modules/workflow-studio/nitro.cjs');
const config = withWorkflowStudioNitro({serverDir: './server', modules: ['workflow/nitro']});
await config.modules[1].setup(nitro);
const { options } = nitro;
"""


def test_nitro_keeps_the_config_and_ships_the_package_with_the_settings(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}, "worker": {"rateLimitPerMinute": 7}}')
    made = app.value(
        NITRO.replace("DEV", "false") + "await hooks.compiled();"
        "const copy = process.cwd() + '/out/node_modules/workflow-studio';"
        "return [config.serverDir, config.modules[0], options.plugins.length,"
        " typeof require(copy + '/world-remote.cjs').createWorld, require(copy + '/workflow.config.json')]",
        **REMOTE,
    )
    assert made == ["./server", "workflow/nitro", 1, "function", {"execution": {"mode": "remote"}}]


@pytest.mark.parametrize("banner", ["'// theirs'", "() => '// theirs'", "undefined"])
def test_a_nitro_server_starts_with_what_its_imports_need(app: App, banner: str) -> None:
    made = app.value(
        NITRO.replace("DEV", "false") + f"const bundler = {{output: {{banner: {banner}}}}};"
        "await hooks['rollup:before'](nitro, bundler);"
        "const banner = (isEntry, fileName) => bundler.output.banner({isEntry, fileName});"
        "return Promise.all([banner(true, 'index.mjs'), banner(true, 'a/b.mjs'), banner(false, 'c.mjs')])"
    )
    theirs = "" if banner == "undefined" else "// theirs"
    start = "node_modules/workflow-studio/nitro-start.cjs"
    assert made == [f"import './{start}';\n{theirs}", f"import '../{start}';\n{theirs}", theirs]


@pytest.mark.parametrize(("preset", "starts"), [("node-cluster", 1), ("node_server", 1), ("vercel", 0), ("bun", 0)])
def test_only_a_server_of_nodejs_starts_with_it(app: App, preset: str, starts: int) -> None:
    made = app.value(
        NITRO.replace("DEV", "false").replace("'node-server'", f"'{preset}'") + "const bundler = {};"
        "await hooks['rollup:before']?.(nitro, bundler);"
        "const text = await bundler.output?.banner?.({isEntry: true, fileName: 'index.mjs'}) ?? '';"
        "return text.split('nitro-start').length - 1"
    )
    assert made == starts


def test_a_moved_server_finds_its_world_and_settings_from_any_folder(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote", "timeoutMs": 77}}')
    app.value(NITRO.replace("DEV", "false") + "await hooks.compiled();", **REMOTE)
    copy = app.folder / "out/node_modules/workflow-studio"
    moved = App(app.folder.parent / "elsewhere")
    moved.folder.mkdir()
    found = moved.value(
        f"require('{copy}/nitro-start.cjs');"
        "const from = require('node:module').createRequire(process.cwd() + '/index.js');"
        "const { resolveWorkflowStudioAdapterConfig } = from('workflow-studio');"
        "const { executionMode, timeoutMs } = resolveWorkflowStudioAdapterConfig();"
        "return [typeof from('workflow-studio/world-remote').createWorld, executionMode, timeoutMs,"
        " process.env.NODE_PATH ?? null]"
    )
    assert found == ["function", "remote", 77, None]


def test_a_nitro_server_reads_the_settings_in_env_files(app: App) -> None:
    app.value(NITRO.replace("DEV", "false") + "await hooks.compiled();")
    app.write(".env", "WORKFLOW_TARGET_WORLD=from-the-file\nWORKFLOW_COMPUTE_BASE_URL=http://file\nOTHER=1\n")
    found = app.value(
        "require(process.cwd() + '/out/node_modules/workflow-studio/nitro-start.cjs'); const { env } = process;"
        "return [env.WORKFLOW_TARGET_WORLD, env.WORKFLOW_COMPUTE_BASE_URL, env.OTHER ?? null]",
        WORKFLOW_TARGET_WORLD="of-the-environment",
    )
    assert found == ["of-the-environment", "http://file", None]


@pytest.mark.parametrize(("base", "path"), [("'/shop/'", "/shop"), ("'/'", None), ("undefined", None)])
def test_a_nitro_app_below_a_path_tells_the_sdk(app: App, base: str, path: str | None) -> None:
    app.value(NITRO.replace("DEV", "false") + f"options.baseURL = {base}; await hooks.compiled();")
    found = app.value(
        "require(process.cwd() + '/out/node_modules/workflow-studio/nitro-start.cjs');"
        "return globalThis[Symbol.for('@workflow/core/basePath')] ?? null"
    )
    assert found == path


def test_nitro_dev_counts_as_development(app: App) -> None:
    assert app.value(NITRO.replace("DEV", "true") + "return process.env.NODE_ENV") == "development"
    assert app.value(NITRO.replace("DEV", "true") + "return process.env.NODE_ENV", NODE_ENV="test") == "test"


def test_nitro_2_keeps_the_registrations_of_the_steps(app: App) -> None:
    setup = NITRO.replace("plugins: [],", "plugins: [], moduleSideEffects: ['x'],").replace("DEV", "false")
    folder = app.value(setup + "return options.moduleSideEffects")[1]
    assert folder.endswith("/.nitro/workflow/")


def test_a_dev_worker_of_nitro_composes_urls_with_the_port_of_the_dev_server(app: App) -> None:
    core = "node_modules/workflow/node_modules/@workflow/core"
    app.write("node_modules/workflow/package.json", "{}")
    app.write(f"{core}/package.json", '{"type": "module"}')
    # What the SDK has there: a resolver that can be replaced.
    app.write(
        f"{core}/dist/runtime/get-port-lazy.js",
        "export let resolve; export const setPortResolverForTesting = (fn) => { resolve = fn; };",
    )
    app.write(
        "worker.mjs",
        f"""import {{ parentPort }} from 'node:worker_threads';
await import('{PACKAGE}/nitro-dev-port.mjs');
const {{ resolve }} = await import('./{core}/dist/runtime/get-port-lazy.js');
parentPort.on('message', async () => {{ parentPort.postMessage(await resolve() ?? null); }});
""",
    )
    ports = app.value(
        NITRO.replace("DEV", "true") + "const { Worker } = require('node:worker_threads');"
        "const { once } = require('node:events'); const worker = new Worker('./worker.mjs');"
        "const ask = async () => { worker.postMessage(0); return (await once(worker, 'message'))[0]; };"
        "const see = (socket) => options.devHandlers[0].handler({runtime: {node: {req: {socket}}}});"
        "const answers = [await ask()]; see({localPort: 4111}); answers.push(await ask());"
        "see(undefined); answers.push(await ask()); await worker.terminate(); return answers",
        PORT="5000",
    )
    assert ports == [5000, 4111, 4111]


def test_broken_workflows_do_not_end_the_dev_server(app: App) -> None:
    made = app.value(
        NITRO.replace("DEV", "true") + "const said = []; console.error = (...words) => said.push(words.join(' '));"
        "const fails = () => { throw new Error('Unexpected token'); };"
        "nitro.hooks.hook('dev:reload', fails); nitro.hooks.hook('build:before', fails);"
        "await nitro.hooks.callHook('dev:reload');"
        "const others = await nitro.hooks.callHook('build:before').catch((error) => error.message);"
        "return [said, others]"
    )
    said = ["[workflow-studio] The workflows could not be built. Error: Unexpected token"]
    assert made == [said, "Unexpected token"]
