"""Apps without Nitro: the loader of Node.js, the build of the handlers, and development, with the real Workflow SDK."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import free_port, wait_until
from tests.support.node import path_of_newer_node
from tests.support.template import render
from tests.template.loader_app import DEV, JOB, LABEL, MAIN, RULES, LoaderApp, packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    MakeApp: TypeAlias = Callable[..., LoaderApp]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ORDER = {"customer": "ada", "items": ["tea", "biscuits"]}
FULFILLED = {
    "customer": "ada",
    "total": 55,
    "payment": {"reference": "payment-of-ada", "amount": 55, "attempt": 2},
    "parcel": "2 item(s) for ada",
}
TSCONFIG = """{
  // as people write it
  "compilerOptions": {
    "jsxImportSource": "hono/jsx",
    "paths": { "@/*": ["./src/*"] },
  },
}
"""


@pytest.fixture
def make_app(template: Path) -> Iterator[MakeApp]:
    """Make an app; without a framework's name only the generated package, and the job with its server."""
    with tempfile.TemporaryDirectory(dir=packages(), prefix="run-", ignore_cleanup_errors=True) as base:

        def make(framework: str = "", language: str = "ts", *, newer: bool = False, **files: str) -> LoaderApp:
            folder = Path(base) / "app"
            mode = "new" if framework else "existing"
            render(template, folder, framework or "express", mode, server="node", language=language)
            app = LoaderApp(folder, path_of_newer_node(Path(base) / "newer") if newer else {})
            if not framework:
                app.write({"package.json": '{"type": "module"}', "workflows/job.ts": JOB, "workflows/rules.ts": RULES})
                app.write({"src/label.ts": LABEL, "src/main.ts": MAIN, **files})
            return app

        yield make


# Production ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newer", [False, True], ids=["oldest node", "newer node"])
@pytest.mark.parametrize(("framework", "language"), [("express", "ts"), ("fastify", "js"), ("hono", "ts")])
def test_a_new_app_runs_its_workflows(make_app: MakeApp, framework: str, language: str, newer: bool) -> None:
    app = make_app(framework, language, newer=newer)
    app.build()
    with app.serve(f"src/index.{language}") as server:
        started = server.http.post("/api/orders", json=ORDER)
        assert started.status_code == 202, started.text
        path = f"/api/orders/{started.json()['runId']}"
        done = wait_until(lambda: server.ask(path).get("result"), what="the end of the order")
        assert done == FULFILLED
        assert server.http.get("/nothing-here").status_code == 404


@pytest.mark.parametrize("newer", [False, True], ids=["oldest node", "newer node"])
def test_a_server_of_node_itself_runs_its_workflows(make_app: MakeApp, newer: bool) -> None:
    app = make_app(newer=newer)
    app.build()
    with app.serve("src/main.ts") as server:
        assert server.job() == "rules-1 label-1"


def test_files_are_found_and_loaded_as_people_write_them(make_app: MakeApp) -> None:
    label = """
import { part } from '@/parts/part';
import { older } from './older.js';
import { Kind, folder } from './folder';
import data from './data.json' with { type: 'json' };
import common from './common.cjs';
import { view } from './view';

export const label = () => [part, older, folder, Kind.One, data.name, common.name, view()].join(' ');
"""
    app = make_app(
        **{
            "src/label.ts": label,
            "src/parts/part.ts": "export const part: string = 'part';\n",
            "src/older.ts": "export const older: string = 'older';\n",
            "src/folder/index.ts": "export enum Kind { One = 'one' }\nexport const folder = 'folder';\n",
            "src/data.json": '{"name": "data"}',
            "src/common.cjs": "exports.name = 'common';\n",
            "src/view.tsx": "export const view = () => String(<b>jsx</b>);\n",
            "tsconfig.json": TSCONFIG,
        }
    )
    app.build()
    with app.serve("src/main.ts") as server:
        assert server.job() == "rules-1 part older folder one data common <b>jsx</b>"


def test_steps_share_the_modules_of_the_app(make_app: MakeApp) -> None:
    main = MAIN.replace("import { job }", "import { count } from './label';\nimport { job }")
    app = make_app(
        **{
            "src/label.ts": "let calls = 0;\nexport const count = () => calls;\nexport const label = () => ++calls;\n",
            "src/main.ts": main.replace("return 'up';", "return count();"),
        }
    )
    app.build()
    with app.serve("src/main.ts") as server:
        assert server.job() == "rules-1 1"
        assert server.ask("/") == 1


def test_an_app_of_commonjs_runs_workflows_of_es_modules(make_app: MakeApp) -> None:
    main = """
const express = require('express');
const { getRun, start } = require('workflow/api');
const { withWorkflowStudioExpress } = require('workflow-studio/express');

const app = withWorkflowStudioExpress(express());
app.get('/', (request, response) => response.json('up'));
app.get('/start', async (request, response) => {
  const { job } = await import('./workflows/job.mjs');
  response.json((await start(job, [''])).runId);
});
app.get('/run', async (request, response) => {
  const run = getRun(request.query.id);
  const status = await run.status;
  response.json([status, status === 'completed' ? await run.returnValue : null]);
});
app.listen(process.env.PORT);
"""
    job = """
export async function job() {
  'use workflow';
  return work('ada');
}

async function work(name) {
  'use step';
  return `hello ${name}`;
}
"""
    app = make_app(**{"package.json": "{}", "index.js": main, "workflows/job.mjs": job})
    (app.folder / "workflows/job.ts").unlink()
    app.build()
    with app.serve("index.js") as server:
        assert server.job() == "hello ada"


def test_bodies_reach_the_sdk_as_they_were_sent(make_app: MakeApp) -> None:
    """Body parsers of the app refuse large messages, and lose the bytes that a webhook's signature was made over."""
    main = """
import express from 'express';
import { getRun, start } from 'workflow/api';
import { withWorkflowStudioExpress } from 'workflow-studio/express';
import { job } from '../workflows/job';

const app = withWorkflowStudioExpress(express());
app.use(express.json(), express.urlencoded());
app.get('/', (request, response) => { response.json(globalThis.told ?? ''); });
app.get('/start', async (request, response) => {
  response.json((await start(job, ['x'.repeat(300_000)])).runId);
});
app.get('/run', async (request, response) => {
  const run = getRun(String(request.query.id));
  const status = await run.status;
  response.json([status, status === 'completed' ? await run.returnValue : null]);
});
app.listen(Number(process.env.PORT));
"""
    job = """
import { createWebhook } from 'workflow';

export async function job(large: string) {
  'use workflow';
  const webhook = createWebhook();
  await tell(webhook.url);
  const request = await webhook;
  return [large.length, await textOf(request)];
}

async function tell(url: string) {
  'use step';
  globalThis.told = url;
}

async function textOf(request: Request) {
  'use step';
  return request.text();
}
"""
    app = make_app(**{"src/main.ts": main, "workflows/job.ts": job})
    app.build()
    with app.serve("src/main.ts") as server:
        run_id = server.ask("/start")
        url = wait_until(lambda: server.ask("/"), what="the webhook")
        form, headers = b"b=2&a=%7B%22x%22%3A1%7D&a=+", {"content-type": "application/x-www-form-urlencoded"}
        assert url.startswith(server.url)
        assert server.http.post(url, content=form, headers=headers).status_code == 202
        assert server.result(run_id) == [300_000, form.decode()]
        assert server.http.post("/.well-known/workflow/v1/webhook/unknown").status_code == 404


def test_a_start_without_built_handlers_is_refused(make_app: MakeApp) -> None:
    said = make_app().refused("src/main.ts")
    assert "npm run build" in said
    assert " at " not in said


def test_a_start_that_would_run_workflows_in_the_wrong_place_is_refused(make_app: MakeApp) -> None:
    app = make_app(**{"workflow.config.json": '{"execution": {"mode": "remote"}}'})
    (app.folder / "workflow.config.ts").unlink()
    said = app.refused("src/main.ts")
    assert "WORKFLOW_TARGET_WORLD must be workflow-studio/world-remote" in said
    assert " at " not in said


def test_an_app_of_the_worker_needs_no_handlers(make_app: MakeApp) -> None:
    app = make_app(**{".env": "WORKFLOW_TARGET_WORLD=workflow-studio/world-remote\n"})
    with app.serve("src/main.ts") as server:
        refused = server.http.post("/.well-known/workflow/v1/flow")
        assert (refused.status_code, refused.json()["code"]) == (409, "remote_execution_enabled")


def test_runs_fall_back_to_the_app_when_the_worker_is_out_of_reach(make_app: MakeApp) -> None:
    config = '{"execution": {"failPolicy": "fallback-local", "retries": 0}}'
    app = make_app(**{"workflow.config.json": config})
    (app.folder / "workflow.config.ts").unlink()
    app.env["WORKFLOW_TARGET_WORLD"] = "workflow-studio/world-remote"
    app.env["WORKFLOW_COMPUTE_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    app.build()
    with app.serve("src/main.ts") as server:
        assert server.job() == "rules-1 label-1"
        foreign = server.http.post("/.well-known/workflow/v1/flow")
        assert (foreign.status_code, foreign.json()["code"]) == (409, "remote_execution_enabled")


def test_a_build_that_fails_says_where(make_app: MakeApp) -> None:
    rules = "import { readFileSync } from 'node:fs';\nexport const decide = () => readFileSync('x', 'utf8');\n"
    app = make_app(**{"workflows/rules.ts": rules})
    with pytest.raises(AssertionError, match=r"rules\.ts|node:fs"):
        app.build()


# Development --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newer", [False, True], ids=["oldest node", "newer node"])
@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("workflows/job.ts", "`${first} ", "`changed ${first} ", "changed rules-1 label-1"),
        ("workflows/rules.ts", "rules-1", "rules-2", "rules-2 label-1"),
        ("src/label.ts", "label-1", "label-2", "rules-1 label-2"),
    ],
    ids=["workflow", "helper of a workflow", "helper of a step"],
)
def test_a_change_is_in_the_next_run(
    make_app: MakeApp, path: str, before: str, after: str, expected: str, newer: bool
) -> None:
    app = make_app(newer=newer)
    with app.serve("src/main.ts", DEV) as server:
        assert server.job() == "rules-1 label-1"
        file = app.folder / path
        file.write_text(file.read_text().replace(before, after))
        # The process may be restarting meanwhile.
        wait_until(lambda: server.job() == expected, what="a run of the changed code")


def test_a_run_goes_on_when_a_change_restarts_the_app(make_app: MakeApp) -> None:
    app = make_app()
    with app.serve("src/main.ts", DEV) as server:
        run_id = server.ask("/start", wait="4s")
        with (app.folder / "src/main.ts").open("a") as main:
            main.write("// changed\n")
        wait_until(lambda: "Restarting" in server.log.read_text(), what="the restart")
        assert server.result(run_id) == "rules-1 label-1"


def test_an_error_of_a_build_is_told_and_mended_by_the_next_change(make_app: MakeApp) -> None:
    app = make_app()
    rules = app.folder / "workflows/rules.ts"
    with app.serve("src/main.ts", DEV) as server:
        assert server.job() == "rules-1 label-1"
        rules.write_text("export const decide = (;\n")
        wait_until(lambda: "rules.ts" in server.log.read_text(), what="the error")
        rules.write_text(RULES.replace("1", "3"))
        wait_until(lambda: server.job() == "rules-3 label-1", what="a run of the mended code")
