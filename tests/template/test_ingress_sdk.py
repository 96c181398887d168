"""Triggers and webhooks through the real Workflow SDK, in an app that runs its workflows itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.sdk import installed_sdk
from tests.template.ingress_app import configure, url_of_nobody

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = [pytest.mark.node, pytest.mark.e2e, pytest.mark.timeout(400)]

WORKFLOW = "workflow//./workflows/order//order"
# The app's own routes are a server that notes what the SDK's queue delivers.
RUN = f"""
let arrived;
const delivery = new Promise((resolve) => {{ arrived = resolve; }});
const server = require('node:http').createServer((req, res) => {{
  arrived(req.url);
  req.resume().on('end', () => res.setHeader('content-type', 'application/json').end('{{"ok":true}}'));
}});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
process.env.WORKFLOW_LOCAL_BASE_URL = `http://127.0.0.1:${{server.address().port}}`;
const {{ proxyTrigger, proxyWebhook }} = require('workflow-studio');
const {{ getWorld }} = await import('workflow/runtime');
const run = await proxyTrigger({{ payload: {{ workflowName: '{WORKFLOW}', input: [{{ a: 1 }}] }} }});
const url = await delivery;
const world = getWorld();
const stored = await world.runs.get(run.runId);
await world.events.create(run.runId, {{
  eventType: 'hook_created', specVersion: 2, correlationId: 'hook_1',
  eventData: {{ token: 'of-this-webhook', isWebhook: true }},
}});
const taken = await proxyWebhook({{ token: 'of-this-webhook', body: 'sent', headers: {{ 'x-one': '1' }} }});
const missing = await proxyWebhook({{ token: 'of-no-webhook', body: 'sent' }}).then(
  async (answer) => [answer.status, (await answer.json()).code],
  (error) => [error.name, error.code],
);
const events = await world.events.list({{ runId: run.runId }});
// The SDK's World keeps the process alive.
setTimeout(() => process.exit(), 200);
return {{
  run, url, name: stored.workflowName, taken: taken.status,
  missing, events: events.data.map((event) => event.eventType),
}};
"""


@pytest.mark.parametrize("remote", [False, True])
def test_a_run_and_its_webhook_by_the_app_s_sdk(app: App, remote: bool) -> None:
    for name in ("workflow", "@workflow"):
        (app.folder / "node_modules" / name).symlink_to(installed_sdk() / name)
    environment = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"} if remote else {}
    configure(app, mode="remote" if remote else "local", failPolicy="fallback-local", remoteWorkerUrl=url_of_nobody())
    found = app.value(RUN, **environment)
    assert found["run"] | {"runId": "", "deploymentId": ""} == {"runId": "", "deploymentId": "", "status": "pending"}
    assert found["run"]["deploymentId"].startswith("dpl_local@"), json.dumps(found)
    assert (found["url"], found["name"]) == ("/.well-known/workflow/v1/flow", WORKFLOW)
    # A worker that is away may have the webhook that the app has not.
    missing = ["WorkflowStudioWebhookError", "unreachable"] if remote else [404, "hook_not_found"]
    assert (found["taken"], found["missing"]) == (202, missing)
    assert found["events"] == ["run_created", "hook_created", "hook_received"]
