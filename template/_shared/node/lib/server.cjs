// Answers the Workflow SDK's routes, and the diagnostics, in a server of Node.js.
'use strict';

const { resolveWorkflowStudioAdapterConfig } = require('./config.cjs');
const { toNodeHandler } = require('./node-handler.cjs');
const {
  createOwnershipDiagnosticsHandler,
  refuseQueueMessage,
} = require('./ownership.cjs');
const { loadSdk } = require('./sdk.cjs');

/** @typedef {(request: Request) => Promise<Response>} Handler */
/** @typedef {(route: 'flow' | 'step') => Promise<Handler>} LoadHandler */

const SDK_ROUTE = '/.well-known/workflow/v1/';
const DIAGNOSTICS_ROUTE = '/api/workflow-studio/diagnostics/remote-ownership';
const WEBHOOK = /^webhook\/([^/]+)$/;
const HANDLERS = Symbol.for('workflow-studio//handlers');

const tellOwnership = createOwnershipDiagnosticsHandler();

/**
 * Says how the handlers of workflows and steps are loaded. A bundler may put this
 * module into a process several times, so it hangs on a registered symbol.
 *
 * @param {LoadHandler} load
 */
function setHandlers(load) {
  /** @type {Record<symbol, unknown>} */ (globalThis)[HANDLERS] = load;
}

/**
 * @param {'flow' | 'step'} route
 * @returns {Promise<Handler>}
 */
function loadHandler(route) {
  return loader()(route);
}

/** @returns {LoadHandler} */
function loader() {
  const load = /** @type {Record<symbol, unknown>} */ (globalThis)[HANDLERS];
  if (!load) {
    throw Object.assign(
      new Error(
        'Workflow Studio: the app runs without its loader, so it has no workflows. Start it with "node --import workflow-studio/register <entry>", in development with "workflow-studio/dev".',
      ),
      { code: 'loader_missing' },
    );
  }
  return /** @type {LoadHandler} */ (load);
}

/** Refuses to serve in production what could not work. */
function requireLoader() {
  if (process.env.NODE_ENV === 'production') {
    loader();
  }
}

/**
 * Whether Workflow Studio answers a path in place of the app.
 *
 * @param {string} path
 * @returns {boolean}
 */
function isOwnPath(path) {
  return path.startsWith(SDK_ROUTE) || path === DIAGNOSTICS_ROUTE;
}

/**
 * @param {Request} request
 * @returns {Promise<Response | undefined>} Nothing for requests of the app.
 */
async function answer(request) {
  const { pathname } = new URL(request.url);
  if (pathname === DIAGNOSTICS_ROUTE) {
    return request.method === 'GET' ? tellOwnership(request) : undefined;
  }
  if (!pathname.startsWith(SDK_ROUTE)) {
    return undefined;
  }
  const route = pathname.slice(SDK_ROUTE.length);
  if (route === 'flow' || route === 'step') {
    return executesHere()
      ? (await loadHandler(route))(request)
      : refuseQueueMessage(request);
  }
  const token = WEBHOOK.exec(route)?.[1];
  return token === undefined ? undefined : resume(token, request);
}

/**
 * Whether queue messages have any business here. With a fallback, the World tells
 * its own from others.
 *
 * @returns {boolean}
 */
function executesHere() {
  const { executionMode, failPolicy } = resolveWorkflowStudioAdapterConfig();
  return executionMode === 'local' || failPolicy === 'fallback-local';
}

/**
 * @param {string} token
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function resume(token, request) {
  const sdk = await loadSdk();
  try {
    return await sdk.resumeWebhook(decodeURIComponent(token), request);
  } catch (error) {
    const { name } = /** @type {Error} */ (error);
    if (name === 'URIError' || name.endsWith('NotFoundError')) {
      return new Response(null, { status: 404 });
    }
    throw error;
  }
}

const answerNode = toNodeHandler(answer);

/**
 * Answers in a server of Node.js, or gives the request to the next handler.
 *
 * @param {any} request
 * @param {any} response
 * @param {(error?: unknown) => void} next
 */
function handleNodeRequest(request, response, next) {
  const target = request.originalUrl ?? request.url ?? '/';
  const [pathname] = target.split('?');
  if (isOwnPath(pathname)) {
    answerNode(request, response, next);
  } else {
    next();
  }
}

module.exports = {
  answer,
  answerNode,
  executesHere,
  handleNodeRequest,
  isOwnPath,
  loadHandler,
  requireLoader,
  setHandlers,
};
