// The Nuxt adapter.
'use strict';

const path = require('node:path');

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const { nitroModule } = require('./nitro-module.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

const PACKAGE = 'workflow-studio';
const BASE_PATH = '#workflow-studio/base-path';
const RECOVERY = '#workflow-studio/recovery';

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioNuxt(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioNuxt');
  rerouteToWorker(options);
  return {
    ...config,
    modules: [...(config.modules ?? []), nuxtModule],
  };
}

/**
 * @param {unknown} _options
 * @param {any} nuxt
 */
function nuxtModule(_options, nuxt) {
  nuxt.hook('nitro:init', (/** @type {any} */ nitro) => {
    nitroModule().setup(nitro);
    addBasePath(nitro.options);
    if (nitro.options.dev) {
      addRecovery(nitro.options);
    } else {
      nitro.hooks.hook('rollup:before', keepOutside);
    }
  });
}

/**
 * The output has the package beside it, so the bundle needs no copy. It would take
 * the SDK in once more, of which Nitro 2 makes imports that lead nowhere.
 *
 * @param {unknown} _nitro
 * @param {any} config Of the bundler.
 */
function keepOutside(_nitro, config) {
  config.plugins.unshift({
    name: PACKAGE,
    resolveId: (/** @type {string} */ id) =>
      id === PACKAGE || id.startsWith(`${PACKAGE}/`)
        ? { id, external: true }
        : null,
  });
}

/**
 * @param {any} options Of Nitro.
 */
function addBasePath({ baseURL, plugins, virtual }) {
  const module = JSON.stringify(path.join(__dirname, 'base-path.cjs'));
  virtual[BASE_PATH] = `import { setBasePath } from ${module};
export default () => setBasePath(${JSON.stringify(baseURL ?? '/')});
`;
  plugins.push(BASE_PATH);
}

/**
 * @param {any} options Of Nitro.
 */
function addRecovery({ baseURL, plugins, virtual }) {
  const module = JSON.stringify(path.join(__dirname, 'nuxt-dev.cjs'));
  virtual[RECOVERY] = `import { createRequire } from 'node:module';
const { recoverRuns } = createRequire(import.meta.url)(${module});
export default (nitroApp) => recoverRuns(nitroApp, ${JSON.stringify(baseURL ?? '/')});
`;
  plugins.push(RECOVERY);
}

/**
 * Returns the Web Request of an event handler's event, or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertNuxtRequest(event) {
  return toWebRequest(event);
}

module.exports = {
  convertNuxtRequest,
  proxyTriggerFromNuxt: proxyTrigger,
  proxyWebhookFromNuxt: proxyWebhook,
  withWorkflowStudioNuxt,
};
