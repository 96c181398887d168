// In a dev worker of Nitro, the SDK composes the URLs of webhooks with the port of
// the dev server instead of the worker's own.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { setBasePath } = require('./base-path.cjs');

/**
 * @typedef {object} DevPort
 * @property {string} module This file.
 * @property {Int32Array} port One memory for all threads; zero while unknown.
 * @property {string | undefined} core The folder of the SDK's core.
 * @property {string | undefined} baseURL The path that the app lives below.
 */

/**
 * @param {DevPort} shared
 */
async function useDevPort({ port, core, baseURL }) {
  setBasePath(baseURL ?? '/');
  const file = path.join(core ?? '', 'dist/runtime/get-port-lazy.js');
  if (!fs.existsSync(file)) {
    return;
  }
  // The SDK has no setting for it, but a resolver that can be replaced. Without
  // one the URLs are as they would be without this file.
  const { setPortResolverForTesting } = await import(pathToFileURL(file).href);
  setPortResolverForTesting?.(
    async () => Atomics.load(port, 0) || Number(process.env.PORT) || undefined,
  );
}

module.exports = { useDevPort };
