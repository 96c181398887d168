// What Workflow Studio does inside Nitro, for every adapter that builds with it.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { setEnvironmentData } = require('node:worker_threads');

const { loadWorkflowStudioConfig } = require('./lib/config-file.cjs');
const { followPackages } = require('./lib/packages.cjs');

const PACKAGE = 'workflow-studio';
const START = `node_modules/${PACKAGE}/nitro-start.cjs`;
/** Where a dev worker finds what nitro-dev-port.cjs needs. */
const DEV_PORT = 'workflow-studio:dev-port';

/**
 * @typedef {object} NitroModule
 * @property {string} name
 * @property {(nitro: any) => void} setup
 */

/** One memory for this thread and all workers that it starts. */
const devPort = new Int32Array(new SharedArrayBuffer(4));

/**
 * Returns the module for the `modules` of a Nitro config, or for the `nitro` of a
 * Vite plugin.
 *
 * @returns {NitroModule}
 */
function nitroModule() {
  return { name: PACKAGE, setup: setUpNitro };
}

/**
 * @param {any} nitro
 */
function setUpNitro(nitro) {
  const { options, hooks } = nitro;
  options.plugins.push(path.join(__dirname, 'nitro-plugin.mjs'));
  keepStepRegistrations(nitro);
  if (options.dev) {
    // `nitro dev` leaves it unset, which everywhere else means production. An app
    // whose routes use the adapter has this file in its build, where bundlers put a
    // literal in the place of the variable's usual name.
    const { env } = process;
    env.NODE_ENV ||= 'development';
    shareDevPort(options);
    outliveBrokenCode(hooks);
  } else {
    hooks.hook('rollup:before', addStart);
    hooks.hook('compiled', () => copyPackage(options));
  }
}

/**
 * After a change, the SDK builds its own bundles, and Nitro looks at no error of
 * that: a save of broken code while a change before it is built would end the dev
 * server.
 *
 * @param {any} hooks
 */
function outliveBrokenCode(hooks) {
  const callHook = hooks.callHook.bind(hooks);
  hooks.callHook = async (
    /** @type {string} */ name,
    /** @type {any[]} */ ...rest
  ) => {
    try {
      return await callHook(name, ...rest);
    } catch (error) {
      if (name !== 'dev:reload') {
        throw error;
      }
      console.error(`[${PACKAGE}] The workflows could not be built.`, error);
    }
  };
}

/**
 * Nitro 2 takes the SDK's generated bundles for free of side effects, and so drops
 * the lines that register the steps: every run would fail.
 *
 * @param {any} nitro
 */
function keepStepRegistrations({ options }) {
  const folder = `${options.buildDir.replace(/[\\/]+$/, '')}/workflow/`;
  if (Array.isArray(options.moduleSideEffects)) {
    options.moduleSideEffects.push(folder);
  }
}

/**
 * Makes a server for Node.js begin with nitro-start.cjs. What the bundler's own
 * imports need must be there before them, so no module of the bundle can do it.
 *
 * @param {any} nitro
 * @param {any} config Of the bundler.
 */
function addStart({ options }, config) {
  if (!runsOnNode(options)) {
    return;
  }
  for (const output of [(config.output ??= {})].flat()) {
    const { banner } = output;
    output.banner = async (/** @type {any} */ chunk) => {
      const rest = typeof banner === 'function' ? await banner(chunk) : banner;
      if (!chunk.isEntry) {
        return rest ?? '';
      }
      const up = '../'.repeat(chunk.fileName.split('/').length - 1);
      return `import '${up || './'}${START}';\n${rest ?? ''}`;
    };
  }
}

/**
 * The World is loaded by name at run time, so no bundler brings it along. The
 * settings go with it, for an output that is moved away from workflow.config.*.
 *
 * @param {any} options
 */
function copyPackage(options) {
  const { serverDir } = options.output;
  if (!fs.existsSync(serverDir)) {
    return;
  }
  const target = path.join(serverDir, 'node_modules', PACKAGE);
  fs.rmSync(target, { recursive: true, force: true });
  fs.cpSync(__dirname, target, { recursive: true });
  const { execution, remoteWorldTarget } = loadWorkflowStudioConfig(
    options.rootDir,
  ).config;
  /** @type {Record<string, object>} */
  const built = {
    'workflow.config.json': { execution, remoteWorldTarget },
    'nitro-build.json': { baseURL: options.baseURL },
  };
  for (const [name, content] of Object.entries(built)) {
    fs.writeFileSync(path.join(target, name), JSON.stringify(content, null, 2));
  }
}

/**
 * @param {any} options
 * @returns {boolean}
 */
function runsOnNode({ preset }) {
  return /^node(?:[-_]|$)/.test(preset ?? 'node');
}

/**
 * In dev, the app runs in a worker with a server of its own on some port, which
 * the SDK would put into the URLs of webhooks. What callers can reach, also after
 * the next change, is the dev server; its port is known once it listens.
 *
 * @param {any} options
 */
function shareDevPort(options) {
  setEnvironmentData(DEV_PORT, {
    module: path.join(__dirname, 'nitro-dev-port.cjs'),
    port: devPort,
    core: followPackages(['workflow', '@workflow/core'], options.rootDir),
    baseURL: options.baseURL,
  });
  options.plugins.push(path.join(__dirname, 'nitro-dev-port.mjs'));
  options.devHandlers.push({
    middleware: true,
    handler: Object.assign(
      (/** @type {any} */ event) => {
        const request = event.runtime?.node?.req ?? event.node?.req;
        noteDevPort(request?.socket?.localPort);
      },
      // How h3 1 knows a handler.
      { __is_handler__: true },
    ),
  });
}

/**
 * @param {number | undefined} port The dev server's own.
 */
function noteDevPort(port) {
  if (port) {
    Atomics.store(devPort, 0, port);
  }
}

module.exports = { nitroModule, noteDevPort };
