// What SvelteKit's own server is given by the adapter, in development and in a
// built app.
'use strict';

const { setBasePath } = require('./base-path.cjs');
const { loadEnvFiles } = require('./lib/env-file.cjs');
const { assertRemoteReroute } = require('./lib/ownership.cjs');
const { isTrustedRequest, requestUrl } = require('./lib/request-url.cjs');

/** The SDK's own route, and where the app's routes hand webhooks on. */
const WEBHOOK =
  /^\/(?:\.well-known\/workflow\/v1|api\/workflow-studio)\/webhook\/[^/]+$/;

/** What tells adapter-node the origin; its option `envPrefix` may stand in front. */
const ORIGIN = /(?:ORIGIN|PROTOCOL_HEADER)$/;

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

/**
 * The request with the URL that it was sent to. Unless it is told the origin,
 * adapter-node takes every request for one that came by HTTPS. That may be so
 * behind a proxy of which nobody has said that it is believed.
 *
 * @param {Request} request
 * @param {any} platform What SvelteKit was given with it; adapter-node gives `req`.
 * @returns {Request}
 */
function asSent(request, platform) {
  const req = platform?.req;
  if (!req?.socket || !req.headers || request.bodyUsed) {
    return request;
  }
  if (Object.keys(process.env).some((name) => ORIGIN.test(name))) {
    return request;
  }
  const { headers } = req;
  const isForwarded = headers['x-forwarded-proto'] ?? headers.forwarded;
  if (isForwarded && !isTrustedRequest(req, {})) {
    return request;
  }
  const url = requestUrl(req);
  return url === request.url ? request : new Request(url, request);
}

/**
 * The same for a webhook; other requests are none of our business.
 *
 * @param {Request} request
 * @param {any} state What SvelteKit knows of the request.
 * @param {string} base The path that the app lives below.
 * @returns {Request}
 */
function webhookAsSent(request, state, base) {
  return isWebhook(new URL(request.url), base)
    ? asSent(request, state?.platform)
    : request;
}

module.exports = {
  asSent,
  isWebhook,
  prepareServer,
  readEnvFiles,
  webhookAsSent,
};
