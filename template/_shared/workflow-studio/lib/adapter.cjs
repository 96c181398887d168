// What the framework adapters have in common.
'use strict';

const {
  WorkflowStudioConfigError,
  resolveWorkflowStudioAdapterConfig,
} = require('./config.cjs');
const { assertRemoteReroute } = require('./ownership.cjs');

/** @typedef {import('../types').AdapterOptions} AdapterOptions */

/**
 * Makes the Workflow SDK use the remote World in this process if workflows run
 * on the worker. It must happen before the SDK looks, which some frameworks do
 * while they build.
 *
 * @param {AdapterOptions} [options]
 * @returns {import('../types').ResolvedConfig}
 */
function rerouteToWorker(options) {
  const config = resolveWorkflowStudioAdapterConfig(undefined, options);
  if (config.executionMode === 'remote' && !process.env.WORKFLOW_TARGET_WORLD) {
    process.env.WORKFLOW_TARGET_WORLD = config.remoteWorldTarget;
  }
  assertRemoteReroute(options);
  return config;
}

/**
 * @param {unknown} config
 * @param {string} wrapper
 */
function refusePromise(config, wrapper) {
  if (config instanceof Promise) {
    throw new WorkflowStudioConfigError(
      wrapper,
      'was given a promise',
      `Write ${wrapper}(await …).`,
    );
  }
}

module.exports = { refusePromise, rerouteToWorker };
