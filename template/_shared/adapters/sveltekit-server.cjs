// What SvelteKit's own server is given by the adapter, in development and in a
// built app.
'use strict';

const { setBasePath } = require('./base-path.cjs');
const { loadEnvFiles } = require('./lib/env-file.cjs');
const { assertRemoteReroute } = require('./lib/ownership.cjs');

/** The SDK's own route, and where the app's routes hand webhooks on. */
const WEBHOOK =
  /^\/(?:\.well-known\/workflow\/v1|api\/workflow-studio)\/webhook\/[^/]+$/;

/**
 * Reads what Vite keeps to import.meta.env, and what a built server does not read
 * at all.
 *
 * @param {string} [folder]
 */
function readEnvFiles(folder = process.cwd()) {
  loadEnvFiles(folder, process.env.NODE_ENV || 'production');
}

/**
 * Runs when the server is loaded, and keeps it from starting if its workflows
 * would run in the wrong place.
 *
 * @param {string} base The path that the app lives below.
 */
function prepareServer(base) {
  readEnvFiles();
  assertRemoteReroute();
  setBasePath(base);
}

/**
 * Whether a request is for a webhook of a workflow: its token is what protects it,
 * and callers send what they like, also forms.
 *
 * @param {URL} url
 * @param {string} base
 * @returns {boolean}
 */
function isWebhook({ pathname }, base) {
  return pathname.startsWith(base) && WEBHOOK.test(pathname.slice(base.length));
}

module.exports = { isWebhook, prepareServer, readEnvFiles };
