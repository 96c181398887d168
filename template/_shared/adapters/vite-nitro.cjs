// What the adapters of Vite, TanStack Start and React Router have in common: Vite
// builds the app, Nitro's plugin the server.
'use strict';

const path = require('node:path');

const { rerouteToWorker } = require('./lib/adapter.cjs');
const { nitroModule, noteDevPort } = require('./nitro-module.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

const DIAGNOSTICS_ROUTE = '/api/workflow-studio/diagnostics/remote-ownership';

/**
 * @param {any} config A Vite config, or a function or promise of one.
 * @param {AdapterOptions} [options]
 * @param {any[]} [plugins] What the framework needs besides.
 * @returns {any} The same.
 */
function wrapViteConfig(config = {}, options = {}, plugins = []) {
  rerouteToWorker(options);
  return addPlugins(config, [vitePlugin(), ...plugins]);
}

/**
 * @param {any} config
 * @param {any[]} plugins
 * @returns {any}
 */
function addPlugins(config, plugins) {
  if (typeof config === 'function') {
    return (/** @type {any} */ env) => addPlugins(config(env), plugins);
  }
  if (typeof config?.then === 'function') {
    return config.then((/** @type {any} */ it) => addPlugins(it, plugins));
  }
  return { ...config, plugins: [...(config?.plugins ?? []), ...plugins] };
}

/**
 * @returns {any}
 */
function vitePlugin() {
  const { name, setup } = nitroModule();
  return {
    name,
    nitro: {
      name,
      setup: (/** @type {any} */ nitro) => {
        nitro.options.handlers.push({
          route: DIAGNOSTICS_ROUTE,
          method: 'GET',
          handler: path.join(__dirname, 'nitro-diagnostics.mjs'),
        });
        setup(nitro);
      },
    },
    configEnvironment: keepPackageOutside,
    configureServer,
  };
}

/**
 * The package is a folder of the app, which Vite would treat as source; but it is
 * CommonJS, which the dev server cannot run from source.
 *
 * @param {string} _name
 * @param {any} config
 * @param {any} env
 * @returns {any}
 */
function keepPackageOutside(_name, config, { command }) {
  return command === 'serve' && config.consumer !== 'client'
    ? { resolve: { external: ['workflow-studio'] } }
    : undefined;
}

/**
 * @param {any} server
 */
function configureServer({ httpServer }) {
  httpServer?.once('listening', () => noteDevPort(httpServer.address()?.port));
}

module.exports = { wrapViteConfig };
