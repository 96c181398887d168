"""A stand-in for the Workflow SDK's own World: it keeps runs in files and notes what it is asked.

The end-to-end tests use the real one; this one makes what the fallback does with it visible, in seconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.template.support import App

WORLD_LOCAL = """
import fs from 'node:fs';

const calls = (globalThis.localCalls = []);
const missing = (name) => Object.assign(new Error(name), { name });

export function createLocalWorld({ dataDir = '.workflow-data', recoverActiveRuns }) {
  if (recoverActiveRuns !== false) throw new Error('it must not recover on its own');
  const file = (runId) => `${dataDir}/${runId}.json`;
  const noted = (method, answer = () => ({})) => async (...args) => {
    calls.push([method, ...args]);
    return answer(...args);
  };
  const stored = (runId) => {
    if (!fs.existsSync(file(runId))) throw missing('WorkflowRunNotFoundError');
    return JSON.parse(fs.readFileSync(file(runId)));
  };
  const chunks = new Map();
  return {
    start: noted('start', () => fs.mkdirSync(dataDir, { recursive: true })),
    close: noted('close'),
    getDeploymentId: async () => 'dpl_local@4.4.1',
    queue: noted('queue', () => ({ messageId: 'msg_local' })),
    createQueueHandler: (prefix, handler) => async (request) => {
      await handler(await request.json(), { prefix });
      return Response.json({ ok: true });
    },
    runs: {
      get: noted('runs.get', stored),
      list: noted('runs.list', () => ({ data: fs.readdirSync(dataDir).map((name) => stored(name.slice(0, -5))) })),
    },
    steps: { get: noted('steps.get'), list: noted('steps.list') },
    events: {
      create: noted('events.create', (runId, { eventType, eventData }) => {
        const run = { runId, status: 'pending', workflowName: eventData?.workflowName };
        if (eventType === 'run_created') fs.writeFileSync(file(runId), JSON.stringify(run));
        return { run };
      }),
      get: noted('events.get'),
      list: noted('events.list'),
      listByCorrelationId: noted('events.listByCorrelationId'),
    },
    hooks: {
      get: noted('hooks.get'),
      getByToken: noted('hooks.getByToken', (token) => {
        if (token !== 'here') throw missing('HookNotFoundError');
        return { hookId: 'hook_1', token, runId: 'wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV' };
      }),
      list: noted('hooks.list'),
    },
    writeToStream: noted('writeToStream', (name, runId, chunk) => {
      chunks.set(name, [...(chunks.get(name) ?? []), chunk]);
    }),
    writeToStreamMulti: noted('writeToStreamMulti'),
    closeStream: noted('closeStream'),
    readFromStream: noted('readFromStream', (name) => new Response(String(chunks.get(name))).body),
    listStreamsByRunId: noted('listStreamsByRunId'),
    getStreamChunks: noted('getStreamChunks'),
    getStreamInfo: noted('getStreamInfo', (name) => ({ tailIndex: (chunks.get(name) ?? []).length - 1, done: false })),
  };
}
"""
WORLD = """
export async function reenqueueActiveRuns(runs, queue) {
  for (const { runId, workflowName } of (await runs.list({})).data) await queue(workflowName, { runId });
}
"""


def install_local_world(app: App, version: str = "4.4.1") -> None:
    """Put the packages where npm puts those of the Workflow SDK."""
    for name, number, text in (
        ("workflow", "4.8.9", ""),
        ("@workflow/core", "4.8.9", ""),
        ("@workflow/world", "4.5.0", WORLD),
        ("@workflow/world-local", version, WORLD_LOCAL),
    ):
        package = {"name": name, "version": number, "type": "module", "exports": {".": {"default": "./index.js"}}}
        app.write(f"node_modules/{name}/package.json", json.dumps(package))
        app.write(f"node_modules/{name}/index.js", text)
