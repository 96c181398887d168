// The World that sends `start()` and everything else to the worker. The Workflow
// SDK loads it by name: WORKFLOW_TARGET_WORLD=workflow-studio/world-remote.
//
// It calls the factory synchronously, while modules load, and more than once:
// so the factory reads no settings and does no I/O, and the connection is shared.
'use strict';

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

// An activation must reach the next run at once, a burst of starts must not
// become a burst of questions.
const DEPLOYMENT_TTL_MS = 1_000;

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

/** @type {undefined | { answer: Promise<any>, until: number }} */
let deployment;

/** @type {import('./lib/world.cjs').Call} */
function call(method, params, options) {
  if (method !== 'deployments.current') {
    return send(method, params, options);
  }
  if (!deployment || Date.now() >= deployment.until) {
    const asked = {
      answer: send(method, params, options),
      until: Date.now() + DEPLOYMENT_TTL_MS,
    };
    // A failure is for those who waited for it, not for the next caller.
    asked.answer.catch(() => {
      if (deployment === asked) {
        deployment = undefined;
      }
    });
    deployment = asked;
  }
  return deployment.answer;
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
