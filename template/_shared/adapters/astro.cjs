// The Astro adapter.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

const { refusePromise, rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/**
 * @typedef {object} Chunk
 * @property {boolean} isEntry
 * @property {string} fileName
 */

const PACKAGE = 'workflow-studio';
// What a built server does first. It is a module of its own in no bundle.
const BOOT_CHECK = `import { assertRemoteReroute as assertWorkflowsRunWhereTheyShould } from '${PACKAGE}';
assertWorkflowsRunWhereTheyShould();
`;

/**
 * @template {Record<string, any>} T
 * @param {T} [config]
 * @param {AdapterOptions} [options]
 * @returns {T}
 */
function withWorkflowStudioAstro(config = /** @type {T} */ ({}), options = {}) {
  refusePromise(config, 'withWorkflowStudioAstro');
  rerouteToWorker(options);
  return {
    ...config,
    // The first, so that its middleware runs where Astro's own check would.
    integrations: [integration(), ...(config.integrations ?? [])],
  };
}

function integration() {
  let isNodeServer = false;
  return {
    name: PACKAGE,
    hooks: {
      'astro:config:setup': (/** @type {any} */ setup) => {
        setup.updateConfig({
          vite: { plugins: [vitePlugin(() => isNodeServer)] },
        });
        admitWebhooks(setup);
      },
      'astro:config:done': (/** @type {any} */ { config }) => {
        isNodeServer = config.adapter?.name === '@astrojs/node';
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
 * @param {any} config
 * @returns {boolean}
 */
function hasFetchFile({ fetchFile, srcDir }) {
  const names = fetchFile ? fs.readdirSync(fileURLToPath(srcDir)) : [];
  return names.some((name) => path.parse(name).name === fetchFile);
}

/**
 * @param {() => boolean} isNodeServer
 */
function vitePlugin(isNodeServer) {
  return {
    name: PACKAGE,
    // The package is a folder of the app, which Vite would treat as source; it is
    // CommonJS and loaded by name at run time, so it must stay outside.
    configEnvironment: (/** @type {string} */ name) =>
      name === 'client' ? undefined : { resolve: { external: [PACKAGE] } },
    renderChunk(/** @type {string} */ code, /** @type {Chunk} */ chunk) {
      // @ts-expect-error Vite binds its hooks to a context.
      const { environment } = this;
      const isServer = environment?.name === 'ssr' && isNodeServer();
      return isServer && chunk.isEntry && chunk.fileName === 'entry.mjs'
        ? { code: BOOT_CHECK + code, map: null }
        : null;
    },
  };
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
  proxyTriggerFromAstro: proxyTrigger,
  withWorkflowStudioAstro,
};
