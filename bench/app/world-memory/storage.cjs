'use strict';

/** @typedef {Record<string, any>} Entity */

/**
 * @typedef {object} Kept All that is known of a run.
 * @property {Entity} run
 * @property {Entity[]} events
 * @property {Map<string, Entity>} steps
 * @property {Map<string, Entity>} waits
 * @property {Map<string, Entity>} hooks
 */

const ENDS = /** @type {Record<string, string>} */ ({
  run_completed: 'completed',
  run_failed: 'failed',
  run_cancelled: 'cancelled',
});
const TERMINAL = new Set(Object.values(ENDS));
const STEP_ENDS = /** @type {Record<string, string>} */ ({
  step_completed: 'completed',
  step_failed: 'failed',
});

/**
 * @param {string} name What the SDK tells errors apart by.
 * @param {string} message
 * @param {Entity} [fields]
 */
function refusal(name, message, fields) {
  return Object.assign(new Error(message), fields, { name });
}

/** @param {Entity[]} data */
function page(data) {
  return { data, cursor: null, hasMore: false };
}

function createStorage() {
  /** @type {Map<string, Kept>} */
  const runs = new Map();
  /** @type {Map<string, Entity>} */
  const hooksByToken = new Map();

  /**
   * @param {string} runId
   * @returns {Kept}
   */
  function keptOf(runId) {
    const kept = runs.get(runId);
    if (!kept) {
      const message = `There is no run ${runId}`;
      throw refusal('WorkflowRunNotFoundError', message, { runId });
    }
    return kept;
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function append(kept, event) {
    const slot = String(kept.events.length + 1).padStart(26, '0');
    const stored = {
      ...event,
      eventId: `evnt_${slot}`,
      runId: kept.run.runId,
      createdAt: new Date(),
    };
    kept.events.push(stored);
    return stored;
  }

  /**
   * @param {string} runId
   * @param {Entity} event
   */
  function createRun(runId, event) {
    if (runs.has(runId)) {
      throw refusal('EntityConflictError', `Run ${runId} exists`);
    }
    const now = new Date();
    const run = {
      ...event.eventData,
      runId,
      status: 'pending',
      specVersion: event.specVersion,
      createdAt: now,
      updatedAt: now,
    };
    const kept = {
      run,
      events: [],
      steps: new Map(),
      waits: new Map(),
      hooks: new Map(),
    };
    runs.set(runId, kept);
    return { event: append(kept, event), run: { ...run } };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function startRun(kept, event) {
    const { run } = kept;
    if (TERMINAL.has(run.status)) {
      throw refusal('RunExpiredError', `Run ${run.runId} has ended`);
    }
    if (run.status === 'pending') {
      run.status = 'running';
      run.startedAt = new Date();
      const { eventData: _, ...rest } = event;
      append(kept, rest);
    }
    // With the whole log, the SDK need not ask for it.
    const events = [...kept.events];
    const cursor = events[events.length - 1]?.eventId ?? null;
    return { run: { ...run }, events, cursor, hasMore: false };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function endRun(kept, event) {
    const { run } = kept;
    if (TERMINAL.has(run.status)) {
      throw refusal('EntityConflictError', `Run ${run.runId} has ended`);
    }
    const { output, error, errorCode } = event.eventData ?? {};
    run.status = ENDS[event.eventType];
    run.completedAt = new Date();
    run.output = output;
    if (error) run.error = { message: error.message ?? error, code: errorCode };
    for (const { token } of kept.hooks.values()) hooksByToken.delete(token);
    kept.hooks.clear();
    return { event: append(kept, event), run: { ...run } };
  }

  /**
   * Makes a step or a wait.
   *
   * @param {Kept} kept
   * @param {Map<string, Entity>} entities
   * @param {Entity} event
   * @param {Entity} entity
   */
  function createEntity(kept, entities, event, entity) {
    const id = event.correlationId;
    if (TERMINAL.has(kept.run.status) || entities.has(id)) {
      throw refusal('EntityConflictError', `${id} exists`);
    }
    entities.set(id, { ...entity, runId: kept.run.runId });
    return { event: append(kept, event) };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function changeStep(kept, event) {
    const step = kept.steps.get(event.correlationId);
    if (!step) {
      const message = `Step "${event.correlationId}" not found`;
      throw refusal('WorkflowWorldError', message);
    }
    if (step.completedAt) {
      throw refusal('EntityConflictError', `Step ${step.stepId} has ended`);
    }
    const now = new Date();
    step.updatedAt = now;
    if (event.eventType === 'step_started') {
      step.status = 'running';
      step.attempt += 1;
      step.startedAt ??= now;
    } else if (event.eventType === 'step_retrying') {
      step.status = 'pending';
      step.retryAfter = event.eventData?.retryAfter;
    } else {
      step.status = STEP_ENDS[event.eventType];
      step.completedAt = now;
      step.output = event.eventData?.result;
    }
    return { event: append(kept, event), step: { ...step } };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function createHook(kept, event) {
    const { token, metadata, isWebhook } = event.eventData;
    const id = event.correlationId;
    if (TERMINAL.has(kept.run.status) || kept.hooks.has(id)) {
      throw refusal('EntityConflictError', `${id} exists`);
    }
    if (hooksByToken.has(token)) {
      const eventData = { token };
      return {
        event: append(kept, {
          ...event,
          eventType: 'hook_conflict',
          eventData,
        }),
      };
    }
    const hook = {
      runId: kept.run.runId,
      hookId: id,
      token,
      metadata,
      isWebhook,
      ownerId: '',
      projectId: '',
      environment: '',
      specVersion: event.specVersion,
      createdAt: new Date(),
    };
    kept.hooks.set(id, hook);
    hooksByToken.set(token, hook);
    return { event: append(kept, event), hook: { ...hook } };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function useHook(kept, event) {
    const hook = kept.hooks.get(event.correlationId);
    if (!hook) throw refusal('HookNotFoundError', 'There is no such hook');
    if (event.eventType === 'hook_disposed') {
      kept.hooks.delete(hook.hookId);
      hooksByToken.delete(hook.token);
    }
    return { event: append(kept, event), hook: { ...hook } };
  }

  /**
   * @param {Kept} kept
   * @param {Entity} event
   */
  function completeWait(kept, event) {
    const wait = kept.waits.get(event.correlationId);
    if (!wait || wait.status === 'completed') {
      throw refusal('EntityConflictError', 'There is nothing to wait for');
    }
    wait.status = 'completed';
    return { event: append(kept, event) };
  }

  /**
   * @param {string} runId
   * @param {Entity} event
   */
  function createEvent(runId, event) {
    const { eventType, eventData, correlationId } = event;
    if (eventType === 'run_created') return createRun(runId, event);
    const kept = keptOf(runId);
    const now = new Date();
    switch (eventType) {
      case 'run_started':
        return startRun(kept, event);
      case 'run_completed':
      case 'run_failed':
      case 'run_cancelled':
        return endRun(kept, event);
      case 'step_created':
        return createEntity(kept, kept.steps, event, {
          ...eventData,
          stepId: correlationId,
          status: 'pending',
          attempt: 0,
          createdAt: now,
          updatedAt: now,
        });
      case 'wait_created':
        return createEntity(kept, kept.waits, event, { status: 'waiting' });
      case 'wait_completed':
        return completeWait(kept, event);
      case 'hook_created':
        return createHook(kept, event);
      case 'hook_received':
      case 'hook_disposed':
        return useHook(kept, event);
      default:
        return changeStep(kept, event);
    }
  }

  /** @param {string} token */
  function hookByToken(token) {
    const hook = hooksByToken.get(token);
    if (!hook) {
      throw refusal('HookNotFoundError', 'There is no such hook', { token });
    }
    return { ...hook };
  }

  return {
    runs: {
      /** @param {string} runId */
      get: async (runId) => ({ ...keptOf(runId).run }),
      list: async () => page([...runs.values()].map(({ run }) => ({ ...run }))),
    },
    steps: {
      /** @type {(runId: string, stepId: string) => Promise<Entity | undefined>} */
      get: async (runId, stepId) => keptOf(runId).steps.get(stepId),
      /** @param {{runId: string}} query */
      list: async ({ runId }) => page([...keptOf(runId).steps.values()]),
    },
    events: {
      /** @type {(runId: string, event: Entity) => Promise<Entity>} */
      create: async (runId, event) => createEvent(runId, event),
      /** @type {(runId: string, eventId: string) => Promise<Entity | undefined>} */
      get: async (runId, eventId) =>
        keptOf(runId).events.find((event) => event.eventId === eventId),
      /** @param {{runId: string, pagination?: {cursor?: string}}} query */
      list: async ({ runId, pagination }) => {
        const after = pagination?.cursor ?? '';
        const events = keptOf(runId).events.filter((e) => e.eventId > after);
        const cursor = events[events.length - 1]?.eventId ?? (after || null);
        return { data: events, cursor, hasMore: false };
      },
      /** @param {{correlationId: string, runId: string}} query */
      listByCorrelationId: async ({ correlationId, runId }) =>
        page(
          keptOf(runId).events.filter((e) => e.correlationId === correlationId),
        ),
    },
    hooks: {
      /** @param {string} hookId */
      get: async (hookId) => {
        for (const { hooks } of runs.values()) {
          const hook = hooks.get(hookId);
          if (hook) return { ...hook };
        }
        throw refusal('HookNotFoundError', 'There is no such hook');
      },
      getByToken: async (/** @type {string} */ token) => hookByToken(token),
      /** @param {{runId: string}} query */
      list: async ({ runId }) => page([...keptOf(runId).hooks.values()]),
    },
  };
}

module.exports = { createStorage };
