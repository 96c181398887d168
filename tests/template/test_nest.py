"""What Nest and the Workflow SDK's module for it would get wrong, and the adapter puts right.

The SDK is a stub here; the apps of the matrix have the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.template import render
from tests.template.support import App

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.node

NEST = """
export class WorkflowModule { async onModuleInit() { throw new Error('built from the current directory'); } }
export const configureWorkflowController = (folder) => { globalThis.controller = folder; };
export class NestLocalBuilder {
  constructor(options) { this.options = options; }
  async build() {
    globalThis.built = this.options;
    const fs = await import('node:fs');
    const { outDir } = this.options;
    fs.mkdirSync(outDir, { recursive: true });
    for (const name of ['workflows', 'steps', 'webhook']) {
      fs.writeFileSync(`${outDir}/${name}.mjs`, `export const POST = async (request) => {
        const data = Buffer.from(await request.arrayBuffer());
        return new Response(new Uint8Array([0, 255, 128]), {
          headers: { name: '${name}', size: String(data.length) },
        });
      };`);
    }
  }
}
"""
SDK = """
export async function resumeWebhook(token, request) {
  if (token === 'unknown') throw Object.assign(new Error('none'), { name: 'HookNotFoundError' });
  if (token === 'broken') throw new Error('The worker is away.');
  const body = Buffer.from(await request.arrayBuffer()).toString('hex');
  return Response.json({ token, body, type: request.headers.get('content-type') }, { status: 202 });
}
"""
RUNTIME = "export const setWorld = (world) => { globalThis.world = world; };"
# An app of Nest as far as the adapter knows it; its body parsers take nothing, as 413 is taken by a queue.
APP = """
const http = require('node:http');
const { withWorkflowStudioNest } = require('workflow-studio/nest');
const nest = await import('@workflow/nest');
const module = new nest.WorkflowModule();
const uses = [];
const app = {
  isInitialized: false,
  use: (handle) => uses.push(handle),
  get: (token) => {
    if (token === 'WORKFLOW_OPTIONS') return GIVEN;
    if (token === nest.WorkflowModule) return module;
    throw new Error('unknown');
  },
};
"""
SERVE = """
await withWorkflowStudioNest(app);
const server = http.createServer((req, res) => {
  const parser = (error) => { res.statusCode = error ? 500 : 413; res.end(error?.message ?? 'parsed'); };
  uses[0](req, res, parser);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const url = `http://127.0.0.1:${server.address().port}`;
const ask = async (path, init) => {
  const response = await fetch(url + path, init);
  const body = Buffer.from(await response.arrayBuffer());
  return { status: response.status, body: body.toString('latin1'), ...Object.fromEntries(response.headers) };
};
try { %s } finally { server.close(); }
"""


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("nest") / "app", "nestjs", project_name="app") / "workflow-studio"


@pytest.fixture
def app(package: Path, tmp_path: Path) -> App:
    made = App(tmp_path / "app")
    made.write("package.json", '{"name": "app", "type": "module"}')
    made.write("src/main.ts", "")
    for name, files in {
        "@workflow/nest": {"index.js": NEST},
        "@workflow/swc-plugin": {"index.js": ""},
        "workflow": {"api.js": SDK, "runtime.js": RUNTIME},
    }.items():
        exports = {"." if file == "index.js" else f"./{file.removesuffix('.js')}": f"./{file}" for file in files}
        settings = {"name": name, "type": "module", "exports": exports}
        made.write(f"node_modules/{name}/package.json", json.dumps(settings))
        for file, text in files.items():
            made.write(f"node_modules/{name}/{file}", text)
    subprocess.run(["cp", "-r", package, made.folder / "workflow-studio"], check=True)
    (made.folder / "node_modules/workflow-studio").symlink_to("../workflow-studio")
    return made


def ask(app: App, code: str, options: str = "{}", **env: str) -> Any:
    return app.value(APP.replace("GIVEN", options) + SERVE % code, **env)


POST = "{method: 'POST', headers: {'content-type': 'application/json'}, body: BODY}"
REMOTE = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}


@pytest.mark.parametrize(("route", "bundle"), [("flow", "workflows"), ("step", "steps")])
def test_a_message_of_any_size_reaches_its_handler_and_its_answer_stays_binary(
    app: App, route: str, bundle: str
) -> None:
    large = POST.replace("BODY", "'x'.repeat(5_000_000)")
    answer = ask(app, f"return await ask('/.well-known/workflow/v1/{route}?a=b', {large})")
    assert (answer["status"], answer["name"], answer["size"], answer["body"]) == (200, bundle, "5000000", "\0ÿ\x80")


def test_a_webhook_is_handed_on_byte_by_byte(app: App) -> None:
    form = "{method: 'POST', headers: {'content-type': 'text/plain'}, body: new Uint8Array([97, 61, 255, 38])}"
    answer = ask(app, f"return await ask('/.well-known/workflow/v1/webhook/a%2Fb', {form})")
    assert answer["status"] == 202
    assert json.loads(answer["body"]) == {"token": "a/b", "body": "613dff26", "type": "text/plain"}


@pytest.mark.parametrize(("token", "status"), [("unknown", 404), ("%E0%A4", 404), ("broken", 500)])
def test_a_webhook_that_cannot_be_resumed_says_whether_to_come_again(app: App, token: str, status: int) -> None:
    assert ask(app, f"return await ask('/.well-known/workflow/v1/webhook/{token}')")["status"] == status


@pytest.mark.parametrize(
    "path",
    ["/", "/api/orders", "/.well-known/workflow/v1/flow/x", "/.well-known/workflow/v1/webhook/a/b", "/x/flow",
     "/.well-known/workflow/v1/manifest.json"],
)  # fmt: skip
def test_every_other_request_is_left_to_nest(app: App, path: str) -> None:
    assert ask(app, f"return await ask('{path}', {{method: 'POST', body: 'a'}})")["body"] == "parsed"


def test_a_get_of_a_queue_route_is_left_to_nest(app: App) -> None:
    assert ask(app, "return await ask('/.well-known/workflow/v1/flow')")["body"] == "parsed"


@pytest.mark.parametrize("built", [True, False])
def test_remote_mode_refuses_whether_handlers_are_built_or_not(app: App, built: bool) -> None:
    if built:
        # The SDK makes these of the World's own handler, which refuses.
        for name in ("workflows", "steps", "webhook"):
            refusal = "export const POST = () => new Response(null, { status: 409 });"
            app.write(f".nestjs/workflow/{name}.mjs", refusal)
    message = POST.replace("BODY", "'{}'")
    answer, made = ask(
        app, f"return [await ask('/.well-known/workflow/v1/flow', {message}), globalThis.built ?? null]", **REMOTE
    )
    assert answer["status"] == 409
    assert made is None, "the worker has the handlers"


def test_a_server_that_would_run_workflows_in_the_wrong_place_does_not_start(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "local"}}')
    error = app.error(APP.replace("GIVEN", "{}") + "await withWorkflowStudioNest(app)", **REMOTE)
    assert error["code"] == "remote_reroute_missing"


def test_the_config_alone_sends_runs_to_the_worker(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    assert ask(app, "return process.env.WORKFLOW_TARGET_WORLD") == "workflow-studio/world-remote"


def test_env_files_are_read(app: App) -> None:
    app.write(".env", "WORKFLOW_COMPUTE_BASE_URL=http://from-env\n")
    assert ask(app, "return process.env.WORKFLOW_COMPUTE_BASE_URL") == "http://from-env"


def test_diagnostics_have_their_route_in_front_of_guards_and_prefixes(app: App) -> None:
    path = "/api/workflow-studio/diagnostics/remote-ownership"
    answers = ask(app, f"return [await ask('{path}'), await ask('{path}', {{method: 'POST'}})]", NODE_ENV="development")
    assert json.loads(answers[0]["body"])["executionMode"] == "local"
    assert answers[1]["body"] == "parsed"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("withWorkflowStudioNest({})", "no HTTP application"),
        ("withWorkflowStudioNest(undefined)", "no HTTP application"),
        ("withWorkflowStudioNest({...app, isInitialized: true})", "after the app was initialised"),
    ],
)
def test_a_call_in_the_wrong_place_is_told(app: App, code: str, why: str) -> None:
    error = app.error(APP.replace("GIVEN", "{}") + f"await {code}")
    assert error["code"] == "invalid_config"
    assert why in error["message"]


# Building ------------------------------------------------------------------------------------------------------------


def test_handlers_are_built_once_and_again_when_a_source_is_newer(app: App) -> None:
    built = "return globalThis.built ?? null"
    assert ask(app, built)["outDir"] == str(app.folder / ".nestjs/workflow")
    assert ask(app, built) is None
    later = (app.folder / ".nestjs/workflow/steps.mjs").stat().st_mtime + 5
    app.write("src/workflows/order.ts", "")
    os.utime(app.folder / "src/workflows/order.ts", (later, later))
    assert ask(app, built) is not None


def test_handlers_are_built_again_when_a_source_was_removed(app: App) -> None:
    app.write("src/workflows/order.ts", "")
    ask(app, "return null")
    (app.folder / "src/workflows/order.ts").unlink()
    later = (app.folder / ".nestjs/workflow/steps.mjs").stat().st_mtime + 5
    os.utime(app.folder / "src/workflows", (later, later))
    assert ask(app, "return globalThis.built ?? null") is not None


def test_an_image_without_sources_builds_nothing(app: App) -> None:
    ask(app, "return null")
    (app.folder / "src/main.ts").unlink()
    (app.folder / "src").rmdir()
    assert ask(app, "return globalThis.built ?? null") is None


def test_the_module_of_the_sdk_builds_nothing_itself(app: App) -> None:
    assert ask(app, "await module.onModuleInit(); return 'done'") == "done"


@pytest.mark.parametrize(("type_", "module"), [('"module"', "es6"), ('"commonjs"', "commonjs"), ("null", "commonjs")])
def test_the_module_format_is_that_of_the_app(app: App, type_: str, module: str) -> None:
    app.write("package.json", f'{{"name": "app", "type": {type_}}}')
    assert ask(app, "return globalThis.built.moduleType") == module


def test_options_of_the_sdks_module_count(app: App) -> None:
    options = "{dirs: ['lib'], outDir: 'made', moduleType: 'commonjs', distDir: 'out'}"
    built = ask(app, "return globalThis.built", options)
    assert (built["dirs"], built["moduleType"], built["distDir"]) == (["lib"], "commonjs", "out")
    assert built["outDir"] == str(app.folder / "made")


def test_an_app_starts_in_any_folder(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"remoteWorkerUrl": "https://worker.example"}}')
    elsewhere = app.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "node_modules").symlink_to(app.folder / "node_modules")
    away = App(elsewhere)
    code = (
        "return [globalThis.built?.outDir ?? null, process.env.WORKFLOW_LOCAL_DATA_DIR, process.cwd(),"
        " require('workflow-studio').resolveWorkflowStudioAdapterConfig().baseUrl, typeof globalThis.world?.queue]"
    )
    out_dir, data_dir, cwd, base_url, world = ask(away, code)
    assert (out_dir, data_dir) == (str(app.folder / ".nestjs/workflow"), str(app.folder / ".workflow-data"))
    assert (cwd, base_url, world) == (str(elsewhere), "https://worker.example", "undefined")
    assert ask(away, code, **REMOTE)[-1] == "function"


# The script in front of `nest build` -------------------------------------------------------------------------------


def prepare(app: App) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", "workflow-studio/nest-build.mjs"], cwd=app.folder, capture_output=True, text=True, check=False
    )


def test_swc_is_told_of_the_plugin_and_handlers_are_built(app: App) -> None:
    assert prepare(app).returncode == 0
    settings = json.loads((app.folder / ".swcrc").read_text())
    ((plugin, mode),) = settings["jsc"]["experimental"]["plugins"]
    assert plugin == str(app.folder / "node_modules/@workflow/swc-plugin/index.js")
    assert (mode, settings["module"]) == ({"mode": "client"}, {"type": "es6"})
    assert (app.folder / ".nestjs/workflow/steps.mjs").exists()


def test_settings_of_the_team_for_swc_go_into_the_one_file_that_swc_reads(app: App) -> None:
    base = {"minify": True, "jsc": {"target": "es2022", "experimental": {"plugins": [["theirs", {}]]}}}
    app.write("swcrc.base.json", json.dumps(base))
    for _ in range(2):
        assert prepare(app).returncode == 0
        settings = json.loads((app.folder / ".swcrc").read_text())
        assert settings["minify"] is True
        assert settings["jsc"]["target"] == "es2022"
        assert settings["jsc"]["parser"]["decorators"] is True
        theirs, ours = settings["jsc"]["experimental"]["plugins"]
        assert (theirs, ours[1]) == (["theirs", {}], {"mode": "client"})


def test_a_swcrc_of_the_team_is_not_written_over(app: App) -> None:
    app.write(".swcrc", '{"minify": true}')
    done = prepare(app)
    assert done.returncode == 1
    assert "swcrc.base.json" in done.stderr
    assert (app.folder / ".swcrc").read_text() == '{"minify": true}'
