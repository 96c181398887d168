// The React Router adapter.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const { wrapViteConfig } = require('./vite-nitro.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

/**
 * @param {any} [config] A Vite config, or a function or promise of one.
 * @param {AdapterOptions} [options]
 * @returns {any} The same.
 */
function withWorkflowStudioReactRouter(config, options) {
  return wrapViteConfig(config, options, [serverEntry(), manifestCopy()]);
}

/**
 * Nitro wants a server as the entry of the app, and React Router has a build.
 *
 * @returns {any}
 */
function serverEntry() {
  return {
    name: 'workflow-studio:react-router-entry',
    enforce: 'pre',
    config(/** @type {any} */ config) {
      const build = config.environments?.ssr?.build ?? {};
      const input = build.rolldownOptions?.input ?? build.rollupOptions?.input;
      if (input !== undefined) {
        return undefined;
      }
      const entry = path.join(__dirname, 'react-router-server.mjs');
      const options = { input: entry };
      return { environments: { ssr: { build: { rollupOptions: options } } } };
    },
  };
}

/**
 * Nitro moves the client's build to its output, and React Router reads the
 * manifest of that build in its own.
 *
 * @returns {any}
 */
function manifestCopy() {
  /** @type {string} */
  let target;
  return {
    name: 'workflow-studio:react-router-manifest',
    applyToEnvironment: (/** @type {any} */ { name }) => name === 'client',
    configResolved(/** @type {any} */ config) {
      const { buildDirectory = path.join(config.root, 'build') } =
        config.__reactRouterPluginContext?.reactRouterConfig ?? {};
      target = path.join(buildDirectory, 'client/.vite');
    },
    writeBundle(/** @type {any} */ { dir }) {
      const source = path.join(dir, '.vite');
      if (source !== target && fs.existsSync(source)) {
        fs.cpSync(source, target, { recursive: true });
      }
    },
  };
}

module.exports = {
  convertReactRouterRequest: toWebRequest,
  proxyTriggerFromReactRouter: proxyTrigger,
  proxyWebhookFromReactRouter: proxyWebhook,
  withWorkflowStudioReactRouter,
};
