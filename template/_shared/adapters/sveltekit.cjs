// The SvelteKit adapter.
'use strict';

const { rerouteToWorker } = require('./lib/adapter.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const {
  asSent,
  isWebhook,
  prepareServer,
  readEnvFiles,
  webhookAsSent,
} = require('./sveltekit-server.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/**
 * @typedef {object} Transformed
 * @property {string} code
 * @property {null} map
 */

const PACKAGE = 'workflow-studio';
const RESPOND = /\/@sveltejs\/kit\/src\/runtime\/server\/respond\.js$/;
const REFUSAL = 'if (forbidden) {';
const BEGIN = 'const url = new URL(request.url);';

const PLUGIN = {
  name: PACKAGE,
  // The package is a folder of the app, which Vite would treat as source; it is
  // CommonJS and loaded by name at run time, so it must stay outside.
  config: () => ({ ssr: { external: [PACKAGE] } }),
  transform: enterServer,
};

/**
 * @param {any} [config] A Vite config, or a promise or function of one.
 * @param {AdapterOptions} [options]
 * @returns {Promise<any>}
 */
async function withWorkflowStudioSvelteKit(config = {}, options = {}) {
  readEnvFiles(options.cwd);
  rerouteToWorker(options);
  const base = await config;
  if (typeof base === 'function') {
    return async (/** @type {any} */ env) => addPlugin(await base(env));
  }
  return addPlugin(base);
}

/**
 * @param {any} config
 */
function addPlugin(config) {
  return { ...config, plugins: [...(config.plugins ?? []), PLUGIN] };
}

/**
 * Puts the adapter into the module of SvelteKit's server that every request comes
 * through first. There, before any hook of the app, a built server refuses what
 * looks like a form of another site, and so webhooks; no setting exempts a route.
 * There, too, webhooks get the URL that they were sent to.
 *
 * @param {string} code
 * @param {string} id
 * @returns {Transformed | null}
 */
function enterServer(code, id) {
  if (!RESPOND.test(id.split('?', 1)[0].replaceAll('\\', '/'))) {
    return null;
  }
  const [before, after, ...more] = code.split(REFUSAL);
  if (after === undefined || more.length > 0) {
    console.warn(
      `${PACKAGE}: this release of SvelteKit checks the origin of forms where it is not known to. Webhooks that are sent as forms or as plain text are answered 403; config.kit.csrf.trustedOrigins admits their senders.`,
    );
  }
  const checked =
    after !== undefined && more.length === 0
      ? `${before}if (forbidden && !isWebhookOfWorkflow(url, base)) {${after}`
      : code;
  return {
    code: `import { isWebhook as isWebhookOfWorkflow, prepareServer as prepareWorkflows, webhookAsSent as workflowWebhookAsSent } from '${PACKAGE}/sveltekit';
${checked.replace(BEGIN, `request = workflowWebhookAsSent(request, state, base);\n\t${BEGIN}`)}
prepareWorkflows(base);
`,
    map: null,
  };
}

/**
 * Returns the Web Request of a request event, or of a request itself.
 *
 * @param {any} event
 * @returns {Request}
 */
function convertSvelteKitRequest(event) {
  return asSent(toWebRequest(event.request ?? event), event.platform);
}

module.exports = {
  convertSvelteKitRequest,
  isWebhook,
  prepareServer,
  proxyTriggerFromSvelteKit: proxyTrigger,
  proxyWebhookFromSvelteKit: proxyWebhook,
  webhookAsSent,
  withWorkflowStudioSvelteKit,
};
