// The NestJS adapter.
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { rerouteToWorker } = require('./lib/adapter.cjs');
const {
  WorkflowStudioConfigError,
  loadWorkflowStudioConfig,
} = require('./lib/config.cjs');
const { setBuiltConfig } = require('./lib/config-file.cjs');
const { loadEnvFiles } = require('./lib/env-file.cjs');
const { toNodeHandler } = require('./lib/node-handler.cjs');
const {
  createOwnershipDiagnosticsHandler,
  refuseQueueMessage,
} = require('./lib/ownership.cjs');
const { toWebRequest } = require('./lib/request.cjs');
const { proxyTrigger } = require('./lib/trigger.cjs');
const { proxyWebhook } = require('./lib/webhook.cjs');
const {
  areHandlersStale,
  areHandlersThere,
  buildHandlers,
  buildOptions,
  findAppRoot,
  importFrom,
} = require('./nest-handlers.cjs');

/** @typedef {import('./types').AdapterOptions} AdapterOptions */
/** @typedef {import('./types').ResolvedConfig} ResolvedConfig */
/**
 * @callback Answer
 * @param {Request} request
 * @returns {Promise<Response | undefined> | undefined}
 */
/**
 * @typedef {object} Route
 * @property {RegExp} pattern
 * @property {Answer} answer
 */

const ROUTES = '/\\.well-known/workflow/v1';
const DIAGNOSTICS = '/api/workflow-studio/diagnostics/remote-ownership';

/**
 * Takes the routes of workflows in front of everything that Nest does with a
 * request: its body parsers refuse large messages and lose what the signature of
 * a webhook was made over; prefixes and guards are meant for the app's own routes.
 *
 * @param {any} app
 * @param {AdapterOptions} [options]
 * @returns {Promise<void>}
 */
async function withWorkflowStudioNest(app, options = {}) {
  checkApp(app);
  const root = options.cwd ?? findAppRoot();
  loadEnvFiles(root, process.env.NODE_ENV);
  const located = { ...options, cwd: root };
  const config = rerouteToWorker(located);
  if (process.cwd() !== root) {
    await settleIn(root, config);
  }
  const build = buildOptions(root, provided(app, 'WORKFLOW_OPTIONS'));
  await takeOverBuild(app, root, build.outDir);
  if (executesHere(config) && areHandlersStale(build)) {
    await buildHandlers(build);
  }
  const handleDiagnostics = createOwnershipDiagnosticsHandler(located);
  use(app, [
    queueRoute('flow', 'workflows.mjs', build),
    queueRoute('step', 'steps.mjs', build),
    webhookRoute(root),
    {
      pattern: new RegExp(`^${DIAGNOSTICS}/?$`),
      answer: (request) =>
        request.method === 'GET' ? handleDiagnostics(request) : undefined,
    },
  ]);
}

/**
 * @param {any} app
 */
function checkApp(app) {
  if (typeof app?.use !== 'function' || typeof app.get !== 'function') {
    throw new WorkflowStudioConfigError(
      'withWorkflowStudioNest',
      'was given something that is no HTTP application of Nest',
      'Give it what NestFactory.create(…) makes, after await.',
    );
  }
  if (app.isInitialized) {
    throw new WorkflowStudioConfigError(
      'withWorkflowStudioNest',
      'is called after the app was initialised, where body parsers come first',
      'Call it right behind NestFactory.create(…).',
    );
  }
}

/**
 * Makes what the SDK and Studio look for in the current directory found where
 * the app is, while the current directory stays what the team expects.
 *
 * @param {string} root
 * @param {ResolvedConfig} config
 */
async function settleIn(
  root,
  { configFile, executionMode, remoteWorldTarget },
) {
  process.env.WORKFLOW_LOCAL_DATA_DIR ??= path.join(root, '.workflow-data');
  if (configFile) {
    setBuiltConfig(configFile);
  }
  if (executionMode === 'remote') {
    const { setWorld } = await importFrom(root, 'workflow/runtime');
    const load = createRequire(path.join(root, 'package.json'));
    const made = load(remoteWorldTarget);
    setWorld((made.createWorld ?? made.default ?? made)());
  }
}

/**
 * The SDK's module builds the handlers whenever the app starts, from the sources
 * in the current directory.
 *
 * @param {any} app
 * @param {string} root
 * @param {string} outDir
 */
async function takeOverBuild(app, root, outDir) {
  const { WorkflowModule, configureWorkflowController } = await importFrom(
    root,
    '@workflow/nest',
  );
  configureWorkflowController(outDir);
  const module = provided(app, WorkflowModule);
  if (module) {
    module.onModuleInit = async () => {};
  }
}

/**
 * @param {any} app
 * @param {any} token
 * @returns {any}
 */
function provided(app, token) {
  try {
    return app.get(token, { strict: false });
  } catch {
    return undefined; // the app does without the SDK's module
  }
}

/**
 * @param {ResolvedConfig} config
 */
function executesHere({ executionMode, failPolicy }) {
  return executionMode === 'local' || failPolicy === 'fallback-local';
}

/**
 * @param {'flow' | 'step'} name
 * @param {string} bundle
 * @param {Required<import('./nest-handlers.cjs').BuildOptions>} build
 * @returns {Route}
 */
function queueRoute(name, bundle, build) {
  // The worker has its own; an app that has none built refuses all the same.
  const load = areHandlersThere(build)
    ? () => import(pathToFileURL(path.join(build.outDir, bundle)).href)
    : async () => ({ POST: refuseQueueMessage });
  return {
    pattern: new RegExp(`^${ROUTES}/${name}/?$`),
    answer: async (request) => {
      const { method } = request;
      const handlers =
        method === 'POST' || method === 'HEAD' ? await load() : {};
      return handlers[method]?.(request);
    },
  };
}

/**
 * @param {string} root
 * @returns {Route}
 */
function webhookRoute(root) {
  const pattern = new RegExp(`^${ROUTES}/webhook/([^/]+)/?$`);
  return {
    pattern,
    answer: async (request) => {
      const [, token] = pattern.exec(new URL(request.url).pathname) ?? [];
      const { resumeWebhook } = await importFrom(root, 'workflow/api');
      try {
        return await resumeWebhook(decodeURIComponent(token), request);
      } catch (error) {
        if (isUnknownToken(error)) {
          return new Response(null, { status: 404 });
        }
        throw error;
      }
    },
  };
}

/**
 * @param {any} error
 * @returns {boolean}
 */
function isUnknownToken(error) {
  return error?.name === 'HookNotFoundError' || error instanceof URIError;
}

/**
 * @param {any} app
 * @param {Route[]} routes
 */
function use(app, routes) {
  const handlers = routes.map(({ pattern, answer }) => ({
    pattern,
    handle: toNodeHandler(answer),
  }));
  app.use(
    (
      /** @type {any} */ req,
      /** @type {any} */ res,
      /** @type {any} */ next,
    ) => {
      const [target] = (req.originalUrl ?? req.url).split('?', 1);
      const route = handlers.find(({ pattern }) => pattern.test(target));
      return route ? route.handle(req, res, next) : next();
    },
  );
}

/**
 * Returns the Web Request of a request of Express or Fastify, of the context of
 * a guard or an interceptor, or of a request itself.
 *
 * @param {any} source
 * @returns {Request}
 */
function convertNestRequest(source) {
  return toWebRequest(source.switchToHttp?.().getRequest() ?? source);
}

module.exports = {
  convertNestRequest,
  proxyTriggerFromNest: proxyTrigger,
  proxyWebhookFromNest: proxyWebhook,
  withWorkflowStudioNest,
};
