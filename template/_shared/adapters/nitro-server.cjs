// What the adapters of Express, Fastify and Hono have in common where Nitro
// serves the app: Nitro answers the SDK's routes, the app everything else.
'use strict';

const path = require('node:path');

const { WorkflowStudioConfigError } = require('./lib/config.cjs');
const { withWorkflowStudioNitro } = require('./nitro.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

const APP = '#workflow-studio/app';
const APP_ROUTE = '/**';
const DIAGNOSTICS_ROUTE = '/api/workflow-studio/diagnostics/remote-ownership';

/**
 * @typedef {object} Server
 * @property {string} wrapper The name of the function that users call.
 * @property {string} [serve] The module of this folder whose `serve` makes what
 *   Nitro can call of what the app's entry exports.
 */

/**
 * Wraps a configuration of Nitro whose route `/**` is the entry of the app.
 *
 * @template {Record<string, any>} T
 * @param {Server} server
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function wrapServer(server, config = /** @type {T} */ ({}), options = {}) {
  const wrapped = withWorkflowStudioNitro(config, options);
  return {
    ...wrapped,
    modules: [
      ...(wrapped.modules ?? []),
      {
        name: 'workflow-studio-server',
        setup: (/** @type {any} */ nitro) => setUpServer(nitro, server),
      },
    ],
  };
}

/**
 * @param {any} nitro
 * @param {Server} server
 */
function setUpServer({ options }, { wrapper, serve }) {
  if (!options.routes[DIAGNOSTICS_ROUTE]) {
    options.handlers.push({
      route: DIAGNOSTICS_ROUTE,
      method: 'GET',
      handler: path.join(__dirname, 'nitro-diagnostics.mjs'),
    });
  }
  const route = options.routes[APP_ROUTE] ?? options.serverEntry;
  const entry = typeof route === 'string' ? route : route?.handler;
  if (!entry) {
    throw new WorkflowStudioConfigError(
      wrapper,
      'does not know the entry of the app',
      `Give nitro.config routes: { '${APP_ROUTE}': './src/index' }, the module whose default export is the app.`,
    );
  }
  if (serve) {
    options.virtual[APP] = [
      `import app from ${JSON.stringify(resolveEntry(entry, options.rootDir))};`,
      `import { serve } from ${JSON.stringify(path.join(__dirname, serve))};`,
      'export default await serve(app);',
    ].join('\n');
    const others = typeof route === 'string' ? {} : route;
    options.routes[APP_ROUTE] = { ...others, handler: APP, format: 'node' };
  }
}

/**
 * @param {string} entry
 * @param {string} rootDir
 * @returns {string}
 */
function resolveEntry(entry, rootDir) {
  return entry.startsWith('.') ? path.resolve(rootDir, entry) : entry;
}

module.exports = { wrapServer };
