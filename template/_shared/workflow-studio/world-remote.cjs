// The World that sends `start()` and everything else to the worker. The Workflow
// SDK loads it by name: WORKFLOW_TARGET_WORLD=workflow-studio/world-remote.
//
// It calls the factory synchronously, while modules load, and more than once:
// so the factory reads no settings and does no I/O, and the connection is shared.
'use strict';

const { resolveWorkflowStudioAdapterConfig } = require('./lib/config.cjs');
const { createConnection } = require('./lib/connection.cjs');
const { refuseQueueMessage } = require('./lib/ownership.cjs');
const { specVersion } = require('./lib/packages.cjs');
const { WorkflowStudioConfigError } = require('./lib/config-check.cjs');
const { createWorld: createWorldOver } = require('./lib/world.cjs');

// An activation must reach the next run at once, a burst of starts must not
// become a burst of questions.
const DEPLOYMENT_TTL_MS = 1_000;

/** @type {import('./types').ResolvedConfig | undefined} */
let settings;

function currentSettings() {
  settings ??= checked(resolveWorkflowStudioAdapterConfig());
  return settings;
}

/**
 * @param {import('./types').ResolvedConfig} config
 */
function checked(config) {
  if (config.failPolicy === 'fallback-local') {
    throw new WorkflowStudioConfigError(
      config.configFile ?? 'the config',
      "asks for execution.failPolicy 'fallback-local', which this version does not have",
      "Use 'error': a start() that cannot reach the worker then fails with a message that says why.",
    );
  }
  return config;
}

const send = createConnection(currentSettings);

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
  return createWorldOver({
    call,
    specVersion: specVersion(process.cwd()),
    createQueueHandler: () => refuseQueueMessage,
  });
}

module.exports = createWorld;
module.exports.createWorld = createWorld;
module.exports.default = createWorld;
