'use strict';
/**
 * The Workflow SDK's World over a transport.
 *
 * `createWorld` turns a function that calls one method of the World lane into
 * the World that `@workflow/core` expects: the whole surface of 4.x, and the
 * `streams` object of 5.x over the same functions. The app's world-remote
 * (HTTP) and the executors (their own connection) use the same code.
 *
 * The World holds closures only: nothing reads `this`, since the SDK takes
 * functions off the object, and nothing secret can be read off it. It does no
 * I/O until one of its functions is called.
 */

const { purposeOf } = require('./callers.cjs');
const { kindOf } = require('./cbor.cjs');
const { createRunPoller } = require('./polling.cjs');
const { createQueueHandler, defined, envelope } = require('./queue.cjs');
const { currentRunOptions } = require('./run-options.cjs');
const { createStreamer } = require('./streams.cjs');

/**
 * @typedef {object} CallOptions
 * @property {boolean} idempotent Whether the call may be repeated just as it
 *   is. If not, the transport repeats it only with an idempotency key.
 * @property {number} [waitMs] How long the worker itself may take before it
 *   answers, on top of the usual time.
 * @property {AbortSignal} [signal] Gives the call up.
 */

/**
 * Calls a method of the World lane. Rejects with an error made by `errors.cjs`.
 *
 * @typedef {(method: string, params: Record<string, any>, options: CallOptions) => Promise<any>} Call
 */

/**
 * @typedef {object} StreamPage Chunks that follow one another.
 * @property {Uint8Array[]} chunks
 * @property {number} nextIndex Where the stream goes on.
 * @property {boolean} done Whether it is closed and ends with them.
 */

/**
 * Follows a stream from an index on, in one answer that lasts. The answer may
 * end before the stream does. Without such an answer, as from a worker that
 * does not know of them, there is none, and the caller has to poll.
 *
 * @typedef {(params: {name: string, startIndex: number}, signal: AbortSignal) => Promise<AsyncIterable<StreamPage> | undefined>} Follow
 */

/**
 * Tells whether a run may have a key. Of a run that is being started it may be
 * given the deployment.
 *
 * @typedef {(context?: {deploymentId?: string}) => boolean} Encrypts
 */

/**
 * @typedef {object} WorldOptions
 * @property {Call} call
 * @property {Encrypts} [encrypts] Without it, each key is asked for.
 * @property {Follow} [follow]
 * @property {(stored: Promise<void>) => void} [onAhead] Hears of chunks that
 *   are on their way, in the course of whatever writes them.
 * @property {number} specVersion 3 for the 4.x line of the SDK, 7 for 5.x.
 * @property {import('./queue.cjs').CreateQueueHandler} [createQueueHandler]
 * @property {string} [deploymentId] The deployment this process runs; without
 *   it, `getDeploymentId` asks the worker for the active one.
 * @property {number} [maxPolls] How many calls may wait for runs to end at
 *   once; 256 by default.
 * @property {() => void | Promise<void>} [close]
 */

const READ = Object.freeze({ idempotent: true });
const WRITE = Object.freeze({ idempotent: false });

const MAX_CACHED_KEYS = 1000;

const RUN_DATES = Object.freeze([
  'createdAt',
  'updatedAt',
  'startedAt',
  'completedAt',
  'expiredAt',
]);
const STEP_DATES = Object.freeze([
  'createdAt',
  'updatedAt',
  'startedAt',
  'completedAt',
  'retryAfter',
]);
const EVENT_DATES = Object.freeze(['createdAt', 'occurredAt']);
const HOOK_DATES = Object.freeze(['createdAt', 'tokenRetentionUntil']);
const WAIT_DATES = Object.freeze([
  'resumeAt',
  'completedAt',
  'createdAt',
  'updatedAt',
]);

/**
 * @param {any} entity
 * @param {readonly string[]} fields
 * @returns {any} A copy in which these fields are dates.
 */
function withDates(entity, fields) {
  const copy = { ...entity };
  for (const field of fields) {
    if (typeof copy[field] === 'number') copy[field] = new Date(copy[field]);
  }
  return copy;
}

/**
 * @param {string} eventType
 * @returns {readonly string[]} The fields of its `eventData` that are dates.
 */
function eventDataDates(eventType) {
  if (eventType === 'wait_created' || eventType === 'wait_completed') {
    return ['resumeAt'];
  }
  return eventType === 'step_retrying' ? ['retryAfter'] : [];
}

/** @param {any} run */
const toRun = (run) => withDates(run, RUN_DATES);
/** @param {any} step */
const toStep = (step) => withDates(step, STEP_DATES);
/** @param {any} hook */
const toHook = (hook) => withDates(hook, HOOK_DATES);
/** @param {any} wait */
const toWait = (wait) => withDates(wait, WAIT_DATES);

/**
 * @param {any} event As the wire has it, or as this has made it.
 * @returns {any} The event as the SDK takes it: times are dates.
 */
function toEvent(event) {
  if (event.createdAt instanceof Date) return event;
  const copy = withDates(event, EVENT_DATES);
  if (copy.eventData) {
    copy.eventData = withDates(copy.eventData, eventDataDates(copy.eventType));
  }
  return copy;
}

/**
 * @param {any} event As the SDK passes it.
 * @returns {any} The event as the wire has it: times are milliseconds.
 */
function fromEvent({ eventType, correlationId, eventData, specVersion }) {
  let data = eventData;
  for (const field of eventDataDates(eventType)) {
    // The SDK makes some dates in its VM context, so instanceof fails on them.
    if (data && kindOf(data[field]) === '[object Date]') {
      data = { ...data, [field]: Date.prototype.getTime.call(data[field]) };
    }
  }
  return defined({ eventType, correlationId, eventData: data, specVersion });
}

/** @param {any} result */
function toEventResult(result) {
  const copy = { ...result };
  if (copy.event) copy.event = toEvent(copy.event);
  if (copy.run) copy.run = toRun(copy.run);
  if (copy.step) copy.step = toStep(copy.step);
  if (copy.hook) copy.hook = toHook(copy.hook);
  if (copy.wait) copy.wait = toWait(copy.wait);
  if (copy.events) copy.events = copy.events.map(toEvent);
  return copy;
}

/**
 * @param {any} page
 * @param {(entity: any) => any} convert
 */
function toPage(page, convert) {
  return {
    data: page.data.map(convert),
    cursor: page.cursor ?? null,
    hasMore: page.hasMore,
  };
}

/**
 * @param {any} params With `pagination`, as the SDK passes it.
 * @returns {Record<string, any>} The same, flat.
 */
function listParams({ pagination, ...params } = {}) {
  return defined({
    ...params,
    limit: pagination?.limit,
    cursor: pagination?.cursor,
    sortOrder: pagination?.sortOrder,
  });
}

/**
 * @param {Call} call
 * @param {Encrypts} encrypts
 * @param {number} [maxPolls]
 */
function createStorage(call, encrypts, maxPolls) {
  /**
   * @param {string} method
   * @param {Record<string, any>} params
   * @param {(entity: any) => any} convert
   */
  const get = async (method, params, convert) =>
    convert(await call(method, defined(params), READ));
  /**
   * @param {string} method
   * @param {any} params
   * @param {(entity: any) => any} convert
   */
  const list = async (method, params, convert) =>
    toPage(await call(method, listParams(params), READ), convert);

  const getWhenFinished = createRunPoller(
    async (params) =>
      toRun(
        await call('runs.get', params, {
          idempotent: true,
          waitMs: params.waitMs,
        }),
      ),
    maxPolls,
  );
  /** @type {(runId: string, params?: any) => Promise<any>} */
  const read = (runId, params) =>
    get('runs.get', { runId, resolveData: params?.resolveData }, toRun);
  /** @type {(runId: string) => Promise<any>} */
  const getForKey = async (runId) => (encrypts() ? read(runId) : { runId });
  /** @type {(runId: string, params?: any) => Promise<any>} */
  const getRun = (runId, params) => {
    const purpose = params === undefined ? purposeOf(getRun) : undefined;
    if (purpose === 'return value') return getWhenFinished(runId);
    return purpose === 'key' ? getForKey(runId) : read(runId, params);
  };

  return {
    runs: {
      get: getRun,
      getWhenFinished,
      // What the SDK needs to ask for the key: where there are none, no more
      // than it has.
      getForKey,
      /** @type {(params?: any) => Promise<any>} */
      list: (params) => list('runs.list', params, toRun),
    },
    steps: {
      /** @type {(runId: string | undefined, stepId: string, params?: any) => Promise<any>} */
      get: (runId, stepId, params) =>
        get(
          'steps.get',
          { runId, stepId, resolveData: params?.resolveData },
          toStep,
        ),
      /** @type {(params: any) => Promise<any>} */
      list: (params) => list('steps.list', params, toStep),
    },
    events: {
      /** @type {(runId: string | null, event: any, params?: any) => Promise<any>} */
      create: async (runId, event, params) =>
        toEventResult(
          await call(
            'events.create',
            defined({
              runId: runId ?? undefined,
              event: fromEvent(event),
              resolveData: params?.resolveData,
              ...(event.eventType === 'run_created' && currentRunOptions()),
            }),
            WRITE,
          ),
        ),
      /** @type {(runId: string, eventId: string, params?: any) => Promise<any>} */
      get: (runId, eventId, params) =>
        get(
          'events.get',
          { runId, eventId, resolveData: params?.resolveData },
          toEvent,
        ),
      /** @type {(params: any) => Promise<any>} */
      list: (params) => list('events.list', params, toEvent),
      /** @type {(params: any) => Promise<any>} */
      listByCorrelationId: (params) =>
        list('events.listByCorrelationId', params, toEvent),
    },
    hooks: {
      /** @type {(hookId: string, params?: any) => Promise<any>} */
      get: (hookId, params) =>
        get('hooks.get', { hookId, resolveData: params?.resolveData }, toHook),
      /** @type {(token: string, params?: any) => Promise<any>} */
      getByToken: (token, params) =>
        get(
          'hooks.getByToken',
          { token, resolveData: params?.resolveData },
          toHook,
        ),
      /** @type {(params?: any) => Promise<any>} */
      list: (params) => list('hooks.list', params, toHook),
    },
  };
}

/**
 * @param {Call} call
 * @param {Encrypts} encrypts
 */
function createKeyring(call, encrypts) {
  /** @type {Map<string, Promise<Uint8Array | undefined>>} */
  const keys = new Map();
  /** @param {string} runId */
  const load = (runId) => {
    const known = keys.get(runId);
    if (known) return known;
    const loading = call('encryption.key', { runId }, READ).then(
      ({ key }) => key,
    );
    loading.catch(() => keys.delete(runId));
    if (keys.size >= MAX_CACHED_KEYS) {
      keys.delete(/** @type {string} */ (keys.keys().next().value));
    }
    keys.set(runId, loading);
    return loading;
  };
  /** @type {(run: string | {runId: string}, context?: any) => Promise<Uint8Array | undefined>} */
  return async (run, context) => {
    if (!encrypts(context)) return undefined;
    const key = await load(typeof run === 'string' ? run : run.runId);
    return key?.slice();
  };
}

/**
 * Make a World.
 *
 * @param {WorldOptions} options
 */
function createWorld(options) {
  const { call, specVersion, deploymentId, close } = options;
  const encrypts = options.encrypts ?? (() => true);
  const streamer = createStreamer(call, options.follow, options.onAhead);
  /** @type {() => Promise<string>} */
  const activeDeployment = async () =>
    (await call('deployments.current', {}, READ)).deploymentId;

  return {
    specVersion,
    // What comes while a write is under way is gathered anyway.
    streamFlushIntervalMs: 0,
    start: async () => {},
    close: async () => {
      await streamer.stored();
      await close?.();
    },
    getDeploymentId: async () => deploymentId ?? activeDeployment(),
    resolveLatestDeploymentId: activeDeployment,
    getEncryptionKeyForRun: createKeyring(call, encrypts),

    /** @type {(queueName: string, message: any, options?: any) => Promise<{messageId: string}>} */
    queue: (queueName, message, queueOptions) =>
      call(
        'queue.publish',
        envelope(queueName, message, queueOptions, deploymentId),
        WRITE,
      ),
    createQueueHandler: options.createQueueHandler ?? createQueueHandler,

    ...createStorage(call, encrypts, options.maxPolls),

    /** @type {(name: string, runId: string, chunk: string | Uint8Array) => Promise<void>} */
    writeToStream: (name, runId, chunk) => streamer.write(name, runId, [chunk]),
    writeToStreamMulti: streamer.write,
    closeStream: streamer.close,
    readFromStream: streamer.read,
    listStreamsByRunId: streamer.list,
    getStreamChunks: streamer.chunks,
    getStreamInfo: streamer.info,
    // The same for 5.x, which puts the run first.
    streams: {
      /** @type {(runId: string, name: string, chunk: string | Uint8Array) => Promise<void>} */
      write: (runId, name, chunk) => streamer.write(name, runId, [chunk]),
      /** @type {(runId: string, name: string, chunks: (string | Uint8Array)[]) => Promise<void>} */
      writeMulti: (runId, name, chunks) => streamer.write(name, runId, chunks),
      /** @type {(runId: string, name: string) => Promise<void>} */
      close: (runId, name) => streamer.close(name, runId),
      /** @type {(runId: string, name: string, startIndex?: number) => Promise<ReadableStream<Uint8Array>>} */
      get: (runId, name, startIndex) => streamer.read(name, startIndex),
      list: streamer.list,
      /** @type {(runId: string, name: string, options?: any) => Promise<any>} */
      getChunks: (runId, name, chunkOptions) =>
        streamer.chunks(name, runId, chunkOptions),
      /** @type {(runId: string, name: string) => Promise<any>} */
      getInfo: (runId, name) => streamer.info(name, runId),
    },
  };
}

module.exports = { createQueueHandler, createWorld, toEvent };
