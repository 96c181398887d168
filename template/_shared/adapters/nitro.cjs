// The Nitro 3 adapter.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioNitro(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioNitro');
  rerouteToWorker(options);
  return {
    ...config,
    modules: [
      ...(config.modules ?? []),
      { name: 'workflow-studio', setup: setUpNitro },
    ],
  };
}

/**
 * @param {any} nitro
 */
function setUpNitro(nitro) {
  nitro.options.plugins.push(path.join(__dirname, 'nitro-plugin.mjs'));
  if (nitro.options.dev) {
    return;
  }
  nitro.hooks.hook('compiled', () => {
    const target = path.join(
      nitro.options.output.serverDir,
      'node_modules/workflow-studio',
    );
    if (fs.existsSync(nitro.options.output.serverDir)) {
      // The World is loaded by name at run time, so no bundler brings it along.
      fs.rmSync(target, { recursive: true, force: true });
      fs.cpSync(__dirname, target, { recursive: true });
    }
  });
}

/**
 * Returns the Web Request of a Nitro event (h3 2: `event.req`; h3 1:
 * `event.web.request`) or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertNitroRequest(event) {
  return toWebRequest(event.req ?? event.web?.request ?? event);
}

module.exports = {
  convertNitroRequest,
  proxyTriggerFromNitro: proxyTrigger,
  withWorkflowStudioNitro,
};
