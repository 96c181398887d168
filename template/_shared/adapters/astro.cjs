// The Astro adapter.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

const { setBasePath } = require('./base-path.cjs');
const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { loadEnvFiles } = require('./lib/env-file.cjs');
const { assertRemoteReroute } = require('./lib/ownership.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/**
 * @typedef {object} Chunk
 * @property {boolean} isEntry
 * @property {string} fileName
 */
/**
 * @typedef {object} Rendered
 * @property {string} code
 * @property {null} map
 */

const PACKAGE = 'workflow-studio';
/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioAstro(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioAstro');
  readEnvFiles(options);
  rerouteToWorker(options);
  return {
    ...config,
    // The first, so that its middleware runs where Astro's own check would.
    integrations: [integration(), ...(config.integrations ?? [])],
  };
}

/**
 * Astro keeps what .env files say to import.meta.env, where only the app's own
 * code finds it, and a built server does not read them at all.
 *
 * @param {AdapterOptions} [options]
 */
function readEnvFiles(options) {
  const mode = process.env.NODE_ENV || 'production';
  loadEnvFiles(options?.cwd ?? process.cwd(), mode);
}

/**
 * Runs when a built server starts, and keeps it from starting if its workflows
 * would run in the wrong place.
 *
 * @param {string} base
 */
function prepareServer(base) {
  readEnvFiles();
  assertRemoteReroute();
  setBasePath(base);
}

function integration() {
  /** @type {any} */
  let config;
  return {
    name: PACKAGE,
    hooks: {
      'astro:config:setup': (/** @type {any} */ setup) => {
        setBasePath(setup.config.base);
        setup.updateConfig({ vite: { plugins: [vitePlugin(() => config)] } });
        admitWebhooks(setup);
        checkSlashes(setup);
      },
      'astro:config:done': (/** @type {any} */ done) => {
        config = done.config;
      },
    },
  };
}

/**
 * Astro refuses POSTs that look like a form of another site, and so webhooks.
 * The same check as a middleware lets them pass, and nothing else.
 *
 * @param {any} setup
 */
function admitWebhooks({ config, updateConfig, addMiddleware, logger }) {
  if (!config.security?.checkOrigin) {
    return;
  }
  if (hasFetchFile(config)) {
    logger.warn(
      `${config.fetchFile} in the source folder decides whether middleware runs, so Astro's own origin check stays: it answers 403 to webhooks that are sent as forms or as plain text.`,
    );
    return;
  }
  updateConfig({ security: { checkOrigin: false } });
  addMiddleware({
    order: 'pre',
    entrypoint: path.join(__dirname, 'astro-middleware.mjs'),
  });
}

/**
 * @param {any} setup
 */
function checkSlashes({ config, logger }) {
  if (config.trailingSlash === 'always') {
    logger.warn(
      "trailingSlash: 'always' answers 404 to the Workflow SDK, which calls its routes without a slash: runs in this app do not begin. Runs on the worker do; for the others set 'ignore'.",
    );
  }
}

/**
 * @param {any} config
 * @returns {boolean}
 */
function hasFetchFile({ fetchFile, srcDir }) {
  const names = fetchFile ? fs.readdirSync(fileURLToPath(srcDir)) : [];
  return names.some((name) => path.parse(name).name === fetchFile);
}

/**
 * @param {() => any} config
 */
function vitePlugin(config) {
  return {
    name: PACKAGE,
    // The package is a folder of the app, which Vite would treat as source; it is
    // CommonJS and loaded by name at run time, so it must stay outside.
    configEnvironment: (/** @type {string} */ name) =>
      name === 'client' ? undefined : { resolve: { external: [PACKAGE] } },
    /**
     * @this {any}
     * @param {string} code
     * @param {Chunk} chunk
     * @returns {Rendered | null}
     */
    renderChunk(code, chunk) {
      const isServer = this.environment?.name === 'ssr' && chunk.isEntry;
      return isServer ? startServer(code, chunk.fileName, config()) : null;
    },
  };
}

/**
 * Puts prepareServer() into a built server's first lines. Its pages, and with them
 * the SDK, are loaded later.
 *
 * @param {string} code
 * @param {string} fileName
 * @param {any} config
 * @returns {Rendered | null}
 */
function startServer(code, fileName, { adapter, base, build }) {
  // Other adapters make no server of Node.js.
  if (adapter?.name !== '@astrojs/node' || fileName !== build.serverEntry) {
    return null;
  }
  const start = `import { prepareServer as prepareWorkflowStudio } from '${PACKAGE}/astro';
prepareWorkflowStudio(${JSON.stringify(base)});
`;
  return { code: start + code, map: null };
}

/**
 * Returns the Web Request of an endpoint's context, or of a request itself.
 *
 * @param {any} context
 * @returns {Request}
 */
function convertAstroRequest(context) {
  return toWebRequest(context.request ?? context);
}

module.exports = {
  convertAstroRequest,
  prepareServer,
  proxyTriggerFromAstro: proxyTrigger,
  proxyWebhookFromAstro: proxyWebhook,
  withWorkflowStudioAstro,
};
