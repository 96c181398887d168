// The World that sends `start()` and everything else to the worker. The Workflow
// SDK loads it by name: WORKFLOW_TARGET_WORLD=workflow-studio/world-remote.
//
// It calls the factory synchronously, while modules load, and more than once:
// so the factory reads no settings and does no I/O, and the connection is shared.
'use strict';

const { createActive } = require('./lib/active.cjs');
const { createCalls } = require('./lib/calls.cjs');
const {
  resolveWorkflowStudioAdapterConfig,
  unsupported,
} = require('./lib/config.cjs');
const { createConnection } = require('./lib/connection.cjs');
const { createFallbackWorld } = require('./lib/fallback.cjs');
const { createFollower } = require('./lib/follow.cjs');
const { specVersion } = require('./lib/packages.cjs');
const { createWorld: createWorldOver } = require('./lib/world.cjs');

/** @type {import('./types').ResolvedConfig | undefined} */
let settings;

function currentSettings() {
  settings ??= resolveWorkflowStudioAdapterConfig();
  const problem = unsupported(settings);
  if (problem) {
    throw Object.assign(new Error(`Workflow Studio: ${problem}`), {
      code: 'invalid_config',
    });
  }
  return settings;
}

const fallsBack = () => currentSettings().failPolicy === 'fallback-local';

const connection = createConnection(currentSettings);
const send = createCalls(connection);
const follow = createFollower(currentSettings);

// A start() that may run here instead has to hear whether the worker is there.
const active = createActive(send, fallsBack);

/** @type {import('./lib/world.cjs').Call} */
function call(method, params, options) {
  if (method === 'deployments.current') {
    return active.find(method, params, options);
  }
  if (params.event?.eventType === 'run_created') {
    active.note(params.event.eventData?.deploymentId);
  }
  return send(method, params, options);
}

/**
 * Makes the World. Takes nothing, reads nothing, and never waits.
 */
function createWorld() {
  const remote = createWorldOver({
    call,
    encrypts: connection.encrypts,
    follow,
    specVersion: specVersion(process.cwd()),
  });
  return createFallbackWorld(remote, fallsBack);
}

module.exports = createWorld;
module.exports.createWorld = createWorld;
module.exports.default = createWorld;
