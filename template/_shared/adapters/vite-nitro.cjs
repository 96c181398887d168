// What the adapters of Vite, TanStack Start and React Router have in common: Vite
// builds the app, Nitro's plugin the server.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { rerouteToWorker } = require('./lib/adapter.cjs');
const { WorkflowStudioConfigError } = require('./lib/config.cjs');
const { nitroModule, noteDevPort } = require('./nitro-module.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */

const DIAGNOSTICS_ROUTE = '/api/workflow-studio/diagnostics/remote-ownership';
/** Without these a build ends well, but has no server or no routes of the SDK. */
const NEEDED = [
  { plugin: 'nitro:init', call: 'nitro()', module: 'nitro/vite' },
  { plugin: 'workflow:nitro', call: 'workflow()', module: 'workflow/vite' },
];
/** What the SDK's own plugin watches: files with workflows or steps. */
const DIRECTIVE = /^\s*(['"])use (?:workflow|step)\1/m;

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
  /** @type {any} */
  let nitro;
  return {
    name,
    apply: (/** @type {any} */ _config, /** @type {any} */ env) =>
      !env.isPreview,
    nitro: {
      name,
      setup: (/** @type {any} */ instance) => {
        nitro = instance;
        nitro.options.handlers.push({
          route: DIAGNOSTICS_ROUTE,
          method: 'GET',
          handler: path.join(__dirname, 'nitro-diagnostics.mjs'),
        });
        setup(nitro);
      },
    },
    configEnvironment: keepPackageOutside,
    configResolved: checkPlugins,
    configureServer(/** @type {any} */ { config, httpServer, watcher }) {
      httpServer?.once('listening', () =>
        noteDevPort(httpServer.address()?.port),
      );
      const rebuild = rebuilder(nitro);
      watcher?.on('change', (/** @type {string} */ file) =>
        rebuild(file).catch((error) =>
          // The bundles of before stay, and the next change is another chance.
          config.logger.error(`Workflow Studio: ${error.message}`),
        ),
      );
    },
  };
}

/**
 * @param {any} config
 */
function checkPlugins({ command, plugins }) {
  // What Nitro builds inside its own build has none of its plugins.
  if (command !== 'build' || '__nitro_build__' in globalThis) {
    return;
  }
  for (const { plugin, call, module } of NEEDED) {
    if (!plugins.some((/** @type {any} */ { name }) => name === plugin)) {
      throw new WorkflowStudioConfigError(
        'vite.config',
        `has no ${call} among its plugins`,
        `Add ${call}, imported from ${module}.`,
      );
    }
  }
}

/**
 * Rebuilds the SDK's bundles when a file changes that workflows or steps import:
 * the SDK does so only for the files that hold workflows or steps.
 *
 * @param {any} nitro
 * @returns {(file: string) => Promise<void>}
 */
function rebuilder(nitro) {
  let called = false;
  return async (file) => {
    if (!nitro || !isImported(nitro.options, file)) {
      return;
    }
    if (!called) {
      // The SDK builds on this hook, which Vite never calls, but for the first time.
      called = true;
      await nitro.hooks.callHook('dev:reload');
    }
    await nitro.hooks.callHook('dev:reload');
  };
}

/**
 * Whether a file without workflows and steps is part of the SDK's bundles, which
 * name their sources in comments.
 *
 * @param {any} options Of Nitro.
 * @param {string} file
 * @returns {boolean}
 */
function isImported({ rootDir, buildDir }, file) {
  const name = path.relative(rootDir, file).split(path.sep).join('/');
  if (
    /^\.\.|(?:^|\/)node_modules\//.test(name) ||
    !/\.[cm]?[jt]sx?$/.test(name)
  ) {
    return false;
  }
  const bundles = ['workflows.mjs', 'steps.mjs']
    .map((bundle) => path.join(buildDir, 'workflow', bundle))
    .filter((bundle) => fs.existsSync(bundle))
    .map((bundle) => fs.readFileSync(bundle, 'utf8'));
  return (
    bundles.some((text) => text.includes(`// ${name}\n`)) &&
    !DIRECTIVE.test(fs.readFileSync(file, 'utf8'))
  );
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

module.exports = { wrapViteConfig };
