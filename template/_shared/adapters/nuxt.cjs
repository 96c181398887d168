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
    addPlugin(
      nitro.options,
      'base-path',
      `import { setBasePath } from ${pathOf('base-path.cjs')};
const run = (nitroApp, base) => setBasePath(base);`,
    );
    if (nitro.options.dev) {
      addPlugin(
        nitro.options,
        'recovery',
        `import { createRequire } from 'node:module';
const { recoverRuns: run } = createRequire(import.meta.url)(${pathOf('nuxt-dev.cjs')});`,
      );
    }
  });
}

/**
 * Adds a plugin that calls a function of this package with the event handlers' app
 * and the path that it lives below, which may be another at every start.
 *
 * @param {any} options Of Nitro.
 * @param {string} name
 * @param {string} code
 */
function addPlugin({ plugins, virtual }, name, code) {
  const id = `#${PACKAGE}/${name}`;
  virtual[id] = `import { useRuntimeConfig } from '#imports';
${code}
export default (nitroApp) => run(nitroApp, useRuntimeConfig().app.baseURL);
`;
  plugins.push(id);
}

/**
 * @param {string} file
 * @returns {string} As a literal.
 */
function pathOf(file) {
  return JSON.stringify(path.join(__dirname, file));
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
