// The Next.js adapter.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const {
  MOVED_CONFIG,
  loadWorkflowStudioConfig,
} = require('./lib/config-file.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/** @typedef {Record<string, any>} NextConfig */
/** @typedef {(phase: string, context: any) => NextConfig | Promise<NextConfig>} NextConfigFunction */

// The World is loaded by name from the current directory, so a standalone
// server needs the package beside it: the link and what it points to.
const TRACED = ['./workflow-studio/**/*', './node_modules/workflow-studio'];
const PRODUCTION_BUILD = 'phase-production-build';
/** Where withWorkflow has local runs kept, and `next build` removes them. */
const WIPED = '.next/workflow-data';

/**
 * @param {NextConfig | NextConfigFunction} [config]
 * @param {AdapterOptions} [options]
 * @returns {NextConfigFunction}
 */
function withWorkflowStudioNext(config = {}, options = {}) {
  refusePromise(config, 'withWorkflowStudioNext');
  watchNothingInHelpers();
  const dataDir = process.env.WORKFLOW_LOCAL_DATA_DIR;
  // Now and not in the function below: withWorkflow, which stands around this
  // call, looks at WORKFLOW_TARGET_WORLD as soon as it is called itself.
  rerouteToWorker(options);
  return async (phase, context) => {
    keepLocalRuns(dataDir);
    const base =
      typeof config === 'function' ? await config(phase, context) : config;
    const traced = base.outputFileTracingIncludes ?? {};
    const own = [...TRACED];
    if (base.output === 'standalone') {
      own.push(`./${MOVED_CONFIG}`);
      if (phase === PRODUCTION_BUILD) {
        writeMovedConfig(options.cwd ?? process.cwd());
      }
    }
    return {
      ...base,
      outputFileTracingIncludes: {
        ...traced,
        '/*': [...new Set([...(traced['/*'] ?? []), ...own])],
      },
    };
  };
}

/**
 * When `next dev` ends, a helper loads the config to send off what Next.js has
 * counted. In there, withWorkflow would watch the app's files and never end.
 */
function watchNothingInHelpers() {
  if (process.argv[1]?.includes('detached-flush')) {
    process.env.WORKFLOW_NEXT_PRIVATE_BUILT ??= '1';
  }
}

/**
 * By now withWorkflow has chosen where local runs are kept, whatever was set.
 *
 * @param {string | undefined} dataDir What was set.
 */
function keepLocalRuns(dataDir) {
  if (process.env.WORKFLOW_LOCAL_DATA_DIR === WIPED) {
    process.env.WORKFLOW_LOCAL_DATA_DIR = dataDir ?? '.workflow-data';
  }
}

/**
 * A standalone server runs without workflow.config.* and what reads it.
 *
 * @param {string} folder
 */
function writeMovedConfig(folder) {
  const { execution, remoteWorldTarget } =
    loadWorkflowStudioConfig(folder).config;
  const file = path.join(folder, MOVED_CONFIG);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(
    file,
    JSON.stringify({ execution, remoteWorldTarget }, null, 2),
  );
}

/**
 * Returns the Web Request of a route handler's request, which a NextRequest is,
 * or of a request of the Pages API.
 *
 * @param {any} request
 * @returns {Request}
 */
function convertNextRequest(request) {
  return toWebRequest(request);
}

module.exports = {
  convertNextRequest,
  proxyTriggerFromNext: proxyTrigger,
  proxyWebhookFromNext: proxyWebhook,
  withWorkflowStudioNext,
};
