"""A stand-in for the Workflow SDK that notes what it is asked, for the helpers that start runs and hand webhooks on."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.template.support import App

API = """
const calls = (globalThis.sdkCalls = []);
export async function start(workflow, args) {
  calls.push(['start', workflow.workflowId, args]);
  if (workflow.workflowId === 'fails' && calls.length === 1) throw new Error('the SDK failed');
  return { runId: `wrun_app_${calls.length}` };
}
export async function resumeWebhook(token, request) {
  calls.push(['resumeWebhook', token, request.method, request.url, await request.text()]);
  if (token === 'none') throw Object.assign(new Error(token), { name: 'HookNotFoundError' });
  return new Response('from the app', { status: 201 });
}
"""
RUNTIME = """
export const getWorld = () => ({
  runs: { get: async (runId) => ({ runId, status: 'pending', deploymentId: 'dpl_app' }) },
});
"""


def install_sdk(app: App) -> None:
    exports = {"./api": "./api.js", "./runtime": "./runtime.js"}
    package = {"name": "workflow", "version": "4.8.9", "type": "module", "exports": exports}
    app.write("node_modules/workflow/package.json", json.dumps(package))
    app.write("node_modules/workflow/api.js", API)
    app.write("node_modules/workflow/runtime.js", RUNTIME)


def configure(app: App, **execution: object) -> None:
    app.write("workflow.config.json", json.dumps({"execution": {"retries": 0, **execution}}))


def url_of_nobody() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
