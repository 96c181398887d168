// While the worker owns execution, this app must execute nothing. What reaches
// its queue routes all the same is refused and remembered; the diagnostics route
// tells about it.
'use strict';

const { createHash, randomUUID, timingSafeEqual } = require('node:crypto');
const { hostname } = require('node:os');

const { workerAccess } = require('./access.cjs');
const {
  getServerEnvDefaults,
  resolveWorkflowStudioAdapterConfig,
  unsupported,
} = require('./config.cjs');

/** @typedef {import('../types').OwnershipEvent} OwnershipEvent */
/** @typedef {import('../types').OwnershipReport} OwnershipReport */
/** @typedef {import('../types').WorkerAccess} WorkerAccess */
/** @typedef {import('../types').AdapterOptions} AdapterOptions */
/**
 * @typedef {object} OwnershipState
 * @property {string} id
 * @property {string} startedAt
 * @property {number} unexpectedHits
 * @property {number} refusedRequests
 * @property {OwnershipEvent | null} lastEvent
 * @property {number} fallbacks
 * @property {import('../types').FallbackEvent | null} lastFallback
 */

const STATE = Symbol.for('workflow-studio//ownership');
const QUEUE_PATHS = new Set([
  '/.well-known/workflow/v1/flow',
  '/.well-known/workflow/v1/step',
]);
const MARKER_HEADERS = [
  'x-vqs-signature',
  'x-vqs-delivery-id',
  'x-workflow-queue-provider',
  'x-workflow-message-id',
];
/** In bytes; a message that tells its run is far smaller. */
const LARGEST_MESSAGE = 1024 * 1024;

/**
 * Returns the process's state. A bundler may put this module into a process
 * several times, so the state hangs on a registered symbol.
 *
 * @returns {OwnershipState}
 */
function ownershipState() {
  const store = /** @type {Record<symbol, any>} */ (globalThis);
  return (store[STATE] ??= {
    id: randomUUID(),
    startedAt: new Date().toISOString(),
    unexpectedHits: 0,
    refusedRequests: 0,
    lastEvent: null,
    fallbacks: 0,
    lastFallback: null,
  });
}

/**
 * Remembers that a run was started in this app in place of the worker.
 *
 * @param {string} reason
 */
function recordFallback(reason) {
  const state = ownershipState();
  state.fallbacks += 1;
  state.lastFallback = { at: new Date().toISOString(), reason };
}

/**
 * Whether a request looks like a queue delivering work to this app: a POST of
 * JSON to a queue route with a header that only a queue sends. Anything else is
 * noise such as a scanner or a health check.
 *
 * @param {Request} request
 * @returns {boolean}
 */
function isUnexpectedQueueHit(request) {
  const type = request.headers.get('content-type') ?? '';
  return (
    request.method === 'POST' &&
    QUEUE_PATHS.has(pathOf(request)) &&
    (type.includes('application/json') || type.includes('+json')) &&
    MARKER_HEADERS.some((name) => request.headers.has(name))
  );
}

/**
 * Answers a request to a queue route: always 409.
 *
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function refuseQueueMessage(request) {
  const state = ownershipState();
  state.refusedRequests += 1;
  if (isUnexpectedQueueHit(request)) {
    state.unexpectedHits += 1;
    state.lastEvent = {
      at: new Date().toISOString(),
      method: request.method,
      path: pathOf(request),
      headers: MARKER_HEADERS.filter((name) => request.headers.has(name)),
      bodyShapeMatched: await namesRun(request),
    };
  }
  return Response.json(
    {
      code: 'remote_execution_enabled',
      message:
        'This app runs its workflows on the Workflow Studio worker, so its own queue routes are disabled. Point the queue at the worker, or unset WORKFLOW_TARGET_WORLD to run workflows here.',
    },
    { status: 409 },
  );
}

/**
 * @param {Request} request
 * @returns {Promise<boolean>}
 */
async function namesRun(request) {
  try {
    const body = JSON.parse(await boundedText(request));
    return [body?.runId, body?.workflowRunId].some(
      (id) => typeof id === 'string',
    );
  } catch {
    return false;
  }
}

/**
 * Read the body of a request that anyone may have sent.
 *
 * @param {Request} request
 * @returns {Promise<string>}
 */
async function boundedText(request) {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  // @ts-ignore: in Node.js a stream of the web can be iterated over.
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > LARGEST_MESSAGE) throw new RangeError('The message is large.');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * @param {Request} request
 * @returns {string}
 */
function pathOf(request) {
  return URL.canParse(request.url)
    ? new URL(request.url).pathname
    : request.url;
}

/**
 * Throws if this process would run workflows itself although the config says
 * that the worker does: in production, `WORKFLOW_TARGET_WORLD` must be set, and
 * to the remote World.
 *
 * @param {AdapterOptions} [options]
 */
function assertRemoteReroute(options) {
  const env = getServerEnvDefaults();
  const config = resolveWorkflowStudioAdapterConfig(undefined, options);
  const lacking = unsupported(config, options?.cwd);
  const problem =
    lacking ?? (env.production ? rerouteProblem(config, env) : undefined);
  if (problem) {
    throw Object.assign(new Error(`Workflow Studio: ${problem}`), {
      code: lacking ? 'invalid_config' : 'remote_reroute_missing',
    });
  }
}

/**
 * @param {import('../types').ResolvedConfig} config
 * @param {import('../types').ServerEnvDefaults} env
 * @returns {string | undefined}
 */
function rerouteProblem(config, env) {
  const { executionMode, remoteWorldTarget } = config;
  if (executionMode === 'local') {
    return env.targetWorld === remoteWorldTarget
      ? "execution.mode is 'local', but WORKFLOW_TARGET_WORLD sends workflows to the worker. Remove one of the two."
      : undefined;
  }
  if (env.targetWorld === remoteWorldTarget) {
    return undefined;
  }
  const found = env.targetWorld
    ? `it is ${JSON.stringify(env.targetWorld)}`
    : 'it is not set';
  return `execution.mode is 'remote', so WORKFLOW_TARGET_WORLD must be ${remoteWorldTarget}, but ${found}. Set it in the environment of this process; without it workflows would run here.`;
}

/**
 * @param {AdapterOptions} [options]
 * @returns {Promise<OwnershipReport>}
 */
async function ownershipReport(options) {
  const config = resolveWorkflowStudioAdapterConfig(undefined, options);
  const remote = config.executionMode === 'remote';
  return report(config, options, remote ? await workerAccess(config) : null);
}

/**
 * @param {import('../types').ResolvedConfig} config
 * @param {AdapterOptions | undefined} options
 * @param {WorkerAccess | null} access
 * @returns {OwnershipReport}
 */
function report(config, options, access) {
  const env = getServerEnvDefaults();
  const state = ownershipState();
  const remote = config.executionMode === 'remote';
  /** @type {string[]} */
  const failures = [];
  /** @type {string[]} */
  const warnings = [];
  for (const problem of [
    unsupported(config, options?.cwd),
    rerouteProblem(config, env),
  ]) {
    if (problem) {
      failures.push(problem);
    }
  }
  if (remote && !config.baseUrl) {
    failures.push(
      "The worker's URL is missing. Set WORKFLOW_COMPUTE_BASE_URL.",
    );
  }
  if (remote && !config.apiKey) {
    warnings.push(`There is no API key. Set ${config.apiKeyEnv}.`);
  }
  if (access?.status === 'refused' && config.apiKey) {
    failures.push(access.message);
  } else if (access?.status === 'unknown' && config.baseUrl) {
    warnings.push(access.message);
  }
  if (remote && state.unexpectedHits > 0) {
    failures.push(
      `A queue delivered ${state.unexpectedHits} message(s) to this app while the worker owns execution. Find what still sends them.`,
    );
  }
  if (state.lastFallback) {
    warnings.push(
      `${state.fallbacks} run(s) were started in this app because the worker could not be reached, the last one at ${state.lastFallback.at}.`,
    );
  }
  return {
    status: failures.length ? 'fail' : warnings.length ? 'warn' : 'pass',
    problems: [...failures, ...warnings],
    executionMode: config.executionMode,
    targetWorld: env.targetWorld ?? null,
    expectedTargetWorld: config.remoteWorldTarget,
    worker: {
      baseUrl: config.baseUrl ?? null,
      environment: config.environment ?? null,
      apiKeyConfigured: Boolean(config.apiKey),
      access,
    },
    unexpectedHits: state.unexpectedHits,
    refusedRequests: state.refusedRequests,
    lastEvent: state.lastEvent,
    failPolicy: config.failPolicy,
    fallbacks: state.fallbacks,
    lastFallback: state.lastFallback,
    instance: {
      id: state.id,
      host: hostname(),
      pid: process.pid,
      startedAt: state.startedAt,
    },
  };
}

/**
 * Makes the handler of GET /api/workflow-studio/diagnostics/remote-ownership.
 *
 * @param {AdapterOptions} [options]
 * @returns {(request: Request) => Promise<Response>}
 */
function createOwnershipDiagnosticsHandler(options) {
  return async (request) => {
    const denied = deny(request);
    if (denied) {
      return denied;
    }
    try {
      return json(200, await ownershipReport(options));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return json(500, { code: 'invalid_config', message });
    }
  };
}

/**
 * @param {Request} request
 * @returns {Response | undefined}
 */
function deny(request) {
  const { diagnosticsToken, production } = getServerEnvDefaults();
  if (!diagnosticsToken) {
    return production
      ? json(403, {
          code: 'diagnostics_disabled',
          message:
            'In production this route needs WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN in the environment of the app.',
        })
      : undefined;
  }
  const given = request.headers.get('authorization') ?? '';
  return sameText(given, `Bearer ${diagnosticsToken}`)
    ? undefined
    : json(401, {
        code: 'unauthorized',
        message: 'Send the diagnostics token as a bearer token.',
      });
}

/**
 * Compares in a time that tells nothing about the texts.
 *
 * @param {string} a
 * @param {string} b
 */
function sameText(a, b) {
  const [left, right] = [a, b].map((text) =>
    createHash('sha256').update(text).digest(),
  );
  return timingSafeEqual(left, right);
}

/**
 * @param {number} status
 * @param {unknown} body
 * @returns {Response}
 */
function json(status, body) {
  return Response.json(body, {
    status,
    headers: { 'cache-control': 'no-store' },
  });
}

module.exports = {
  assertRemoteReroute,
  createOwnershipDiagnosticsHandler,
  isUnexpectedQueueHit,
  ownershipReport,
  recordFallback,
  refuseQueueMessage,
};
