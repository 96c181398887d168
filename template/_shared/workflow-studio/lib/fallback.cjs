// execution.failPolicy 'fallback-local': a start() that cannot reach the worker
// runs in this app instead. The decision falls with start()'s first call, which
// asks for the deployment; from then on everything of that run stays where it is.
'use strict';

const { purposeOf } = require('./callers.cjs');
const {
  isForLocal,
  isLocalRun,
  isLocalStream,
  isWrittenHere,
  noteHealthCheck,
  noteStreams,
  rememberRun,
} = require('./homes.cjs');
const {
  closeLocalWorld,
  isLocalDelivery,
  openLocalWorld,
} = require('./local-world.cjs');
const { recordFallback, refuseQueueMessage } = require('./ownership.cjs');

/** @typedef {Record<string, any>} World */

/** Whether the worker was out of reach when it was last asked for a deployment. */
let away = false;

/**
 * Whether the worker was not there to answer. A refusal is an answer, and so is
 * a page from whatever else lives at its address: that is a wrong setting, which
 * running elsewhere would only hide.
 *
 * @param {any} error
 * @returns {boolean}
 */
function isUnreachable(error) {
  const answered = error?.answeredStatus;
  return (
    error?.name === 'WorkflowWorldError' &&
    (error.code === 'TIMEOUT' ||
      (error.code === 'TRANSPORT' &&
        (answered === undefined || answered >= 500)))
  );
}

/**
 * Answers with the local deployment where the worker cannot be reached.
 *
 * @param {any} error
 * @returns {Promise<string>}
 */
async function fallBack(error) {
  let local;
  try {
    local = await openLocalWorld();
    await local.prepare();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    error.message += ` Nor can it run in this app: ${why}`;
    throw error;
  }
  if (!away) {
    away = true;
    console.warn(
      `[workflow-studio] ${error.message} Until then, new runs are executed in this app.`,
    );
  }
  recordFallback(error.message);
  return local.deploymentId;
}

/**
 * @param {() => Promise<string>} ask Asks the worker for a deployment.
 * @param {() => boolean} isEnabled
 * @returns {() => Promise<string>}
 */
function orLocal(ask, isEnabled) {
  return async () => {
    let deploymentId;
    try {
      deploymentId = await ask();
    } catch (error) {
      if (!isEnabled() || !isUnreachable(error)) {
        throw error;
      }
      return fallBack(error);
    }
    if (away) {
      away = false;
      console.warn(
        '[workflow-studio] The worker answers again; new runs are executed there.',
      );
    }
    return deploymentId;
  };
}

/**
 * Asks the worker for a hook, and if it has none, the local World.
 *
 * @param {(hooks: any, ...args: any[]) => Promise<any>} find
 * @param {World} remote
 * @param {() => boolean} isEnabled
 * @returns {(...args: any[]) => Promise<any>}
 */
function findHook(find, remote, isEnabled) {
  return async (...args) => {
    try {
      const hook = await find(remote.hooks, ...args);
      noteStreams('worker', hook);
      return hook;
    } catch (error) {
      const missing = /** @type {any} */ (error)?.name === 'HookNotFoundError';
      if (!isEnabled() || !(missing || isUnreachable(error))) {
        throw error;
      }
      const { world } = await openLocalWorld();
      const hook = await find(world.hooks, ...args).catch((localError) => {
        throw localError?.name === 'HookNotFoundError' ? error : localError;
      });
      rememberRun(hook.runId);
      noteStreams('local', hook);
      return hook;
    }
  };
}

/**
 * @param {World} remote
 * @param {() => boolean} isEnabled
 */
function createWriters(remote, isEnabled) {
  return {
    /** @type {(runId: string | null, event: any, params?: any) => Promise<any>} */
    createEvent: async (runId, event, params) => {
      if (!isEnabled()) {
        return remote.events.create(runId, event, params);
      }
      const { eventType, eventData } = event;
      const deploymentId =
        eventType === 'run_created' ? eventData?.deploymentId : undefined;
      const isLocal = await isForLocal(deploymentId, runId);
      noteStreams(isLocal ? 'local' : 'worker', eventData);
      if (!isLocal) {
        return remote.events.create(runId, event, params);
      }
      const { world } = await openLocalWorld();
      const result = await world.events.create(runId, event, params);
      noteStreams('local', result.run, result.step, result.hook);
      return result;
    },
    /** @type {(name: string, message: any, options?: any) => Promise<any>} */
    queue: async (name, message, options) => {
      const runId = message.runId ?? message.workflowRunId;
      const deploymentId =
        options?.deploymentId ?? message.runInput?.deploymentId;
      if (!isEnabled() || !(await isForLocal(deploymentId, runId))) {
        return remote.queue(name, message, options);
      }
      if (message.__healthCheck) {
        noteHealthCheck(message.correlationId);
      }
      const { world } = await openLocalWorld();
      return world.queue(name, message, options);
    },
  };
}

/**
 * Puts the local World behind the worker's.
 *
 * @param {World} remote
 * @param {() => boolean} isEnabled Asked at every call, so that nothing is read
 *   before the first one.
 * @returns {any}
 */
function createFallbackWorld(remote, isEnabled) {
  /**
   * @param {(...args: any[]) => Promise<boolean>} isLocal
   * @param {(world: World, ...args: any[]) => any} call
   * @returns {(...args: any[]) => Promise<any>}
   */
  const route =
    (isLocal, call) =>
    async (...args) => {
      if (!isEnabled()) {
        return call(remote, ...args);
      }
      const here = await isLocal(...args);
      const result = await call(
        here ? (await openLocalWorld()).world : remote,
        ...args,
      );
      noteStreams(here ? 'local' : 'worker', result);
      return result;
    };
  /** @param {(world: World, ...args: any[]) => any} call Its first argument is the run's id. */
  const byRun = (call) => route(isLocalRun, call);
  /** @param {(world: World, ...args: any[]) => any} call Its first argument has the run's id. */
  const byRunOf = (call) => route((params) => isLocalRun(params?.runId), call);
  const { createEvent, queue } = createWriters(remote, isEnabled);
  const readRun = byRun((world, ...args) => world.runs.get(...args));
  const awaitRun = byRun((world, runId) =>
    world.runs.getWhenFinished
      ? world.runs.getWhenFinished(runId)
      : world.runs.get(runId),
  );
  // The caller has to be looked at here: the World behind is called by this one.
  /** @type {(runId: string, params?: any) => Promise<any>} */
  const getRun = (runId, params) => {
    const purpose = params === undefined ? purposeOf(getRun) : undefined;
    if (purpose === 'return value') {
      return awaitRun(runId);
    }
    return purpose === 'key' && !isEnabled()
      ? remote.runs.getForKey(runId)
      : readRun(runId, params);
  };

  return {
    ...remote,
    start: async () => {
      await remote.start();
      if (isEnabled()) {
        await (await openLocalWorld()).prepare();
      }
    },
    close: async () => {
      await remote.close();
      await closeLocalWorld();
    },
    getDeploymentId: orLocal(remote.getDeploymentId, isEnabled),
    resolveLatestDeploymentId: orLocal(
      remote.resolveLatestDeploymentId,
      isEnabled,
    ),
    getEncryptionKeyForRun: route(
      (run, context) =>
        typeof run === 'string'
          ? isForLocal(context?.deploymentId, run)
          : isForLocal(run.deploymentId, run.runId),
      (world, ...args) => world.getEncryptionKeyForRun?.(...args),
    ),
    queue,
    /** @type {import('./queue.cjs').CreateQueueHandler} */
    createQueueHandler: (prefix, handler) => async (request) => {
      if (!isLocalDelivery(request)) {
        return refuseQueueMessage(request);
      }
      const { world } = await openLocalWorld();
      return world.createQueueHandler(prefix, handler)(request);
    },
    runs: {
      get: getRun,
      list: remote.runs.list,
    },
    steps: {
      get: byRun((world, ...args) => world.steps.get(...args)),
      list: byRunOf((world, ...args) => world.steps.list(...args)),
    },
    events: {
      create: createEvent,
      get: byRun((world, ...args) => world.events.get(...args)),
      list: byRunOf((world, ...args) => world.events.list(...args)),
      listByCorrelationId: byRunOf((world, ...args) =>
        world.events.listByCorrelationId(...args),
      ),
    },
    hooks: {
      get: findHook((hooks, ...args) => hooks.get(...args), remote, isEnabled),
      getByToken: findHook(
        (hooks, ...args) => hooks.getByToken(...args),
        remote,
        isEnabled,
      ),
      list: byRunOf((world, ...args) => world.hooks.list(...args)),
    },
    writeToStream: route(isWrittenHere, (world, ...args) =>
      world.writeToStream(...args),
    ),
    writeToStreamMulti: route(isWrittenHere, (world, ...args) =>
      world.writeToStreamMulti(...args),
    ),
    closeStream: route(isWrittenHere, (world, ...args) =>
      world.closeStream(...args),
    ),
    readFromStream: route(
      (name) => isLocalStream(name),
      (world, ...args) => world.readFromStream(...args),
    ),
    listStreamsByRunId: byRun((world, ...args) =>
      world.listStreamsByRunId(...args),
    ),
    getStreamChunks: route(isLocalStream, (world, ...args) =>
      world.getStreamChunks(...args),
    ),
    getStreamInfo: route(isLocalStream, (world, ...args) =>
      world.getStreamInfo(...args),
    ),
  };
}

module.exports = { createFallbackWorld, isUnreachable };
