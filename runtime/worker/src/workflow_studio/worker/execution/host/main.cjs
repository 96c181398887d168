'use strict';
/**
 * An executor: a Node.js process that runs the deliveries of one deployment.
 *
 * The worker starts it in the folder of the unpacked artifact; its only
 * argument is its settings as JSON. It answers the worker over the connection
 * it inherits and ends with it: what it does after that nobody would record.
 */

const path = require('node:path');
const { createRegistry, loadArtifact, readSdk } = require('./artifact.cjs');
const { createCalls } = require('./calls.cjs');
const { openConnection } = require('./connection.cjs');
const { createContexts } = require('./contexts.cjs');
const { createForesight } = require('./foresight.cjs');
const { createLogs, isReplayBegin } = require('./logs.cjs');
const { createPositions } = require('./positions.cjs');
const {
  providePort,
  provideWaitUntil,
  provideWorld,
} = require('./surroundings.cjs');
const { consumeOnce } = require('./ticks.cjs');
const { TURN_END_MS, shortenTimers } = require('./timers.cjs');
const { startWatchdog } = require('./watchdog.cjs');
const { createWork, describe } = require('./work.cjs');

const HEARTBEAT_MS = 1000;
const DEFAULT_SPEC_VERSION = 3;
/** How an attempt of a step ends but for well. */
const ATTEMPT_ENDS = new Set(['step_failed', 'step_retrying']);
const STREAM_WRITES = new Set(['streams.write', 'streams.close']);

/**
 * @typedef {object} Settings
 * @property {string} deploymentId
 * @property {string} protocol Folder with the JavaScript of the protocol.
 * @property {number} connection File descriptor of the connection.
 * @property {number} port The worker's port, for webhook URLs.
 * @property {boolean} encrypts Whether runs have keys.
 */

/** @param {Settings} settings */
function main(settings) {
  const { deploymentId } = settings;
  const folder = process.cwd();
  const { decode, encode } = require(path.join(settings.protocol, 'cbor.cjs'));
  const errors = require(path.join(settings.protocol, 'errors.cjs'));
  const { createQueueHandler, createWorld, toEvent } = require(
    path.join(settings.protocol, 'world.cjs'),
  );

  const positions = createPositions(folder);
  const sdk = readSdk(folder);
  const specVersion = sdk.specVersion ?? DEFAULT_SPEC_VERSION;
  /** @type {import('./work.cjs').Artifact} */
  let artifact;

  const connection = openConnection(
    settings.connection,
    { ...errors, decode, encode },
    (frame) => {
      if (frame.t === 'deliver') void work.deliver(frame);
      else if (frame.t === 'request') void work.request(frame);
      else if (frame.t === 'abandon') work.abandon(frame);
      else if (frame.t === 'stored') work.outputStored(frame);
      else if (frame.t === 'drain') work.drain();
    },
    die,
  );
  const logs = createLogs(toEvent);
  const foresight = createForesight(logs, errors.transportError);
  const contexts = createContexts(() => work.isReplaying());
  const work = createWork({
    artifact: () => artifact,
    send: connection.send,
    sendAll: connection.sendAll,
    foresight,
    callsOf: (frame) => {
      /** @type {import('./calls.cjs').Call} */
      const call = (method, params, signal) =>
        connection.call(method, params, frame.delivery, signal);
      /** @type {import('./calls.cjs').Call} */
      const begun = (method, params, signal) =>
        isReplayBegin(method, params)
          ? logs.begin(
              async (sent) =>
                takeReplayBegin(frame, sent) ?? call(method, sent, signal),
              params,
            )
          : call(method, params, signal);
      const made = foresight.callOf(frame, call) ?? begun;
      return createCalls(frame, made, errors.errorFromWire);
    },
    shown: positions.inText,
    onReplayed: contexts.prepareSoon,
    onDrained: () => void connection.flush().then(() => process.exit(0)),
  });

  const registry = createRegistry(createQueueHandler);
  provideWaitUntil((task) => void work.finish(task));
  providePort(settings.port);
  const world = createWorld({
    /** @type {import('./connection.cjs').WorldCall} */
    call: async (method, params, { signal }) => {
      if (method === 'encryption.key' && !settings.encrypts) return {};
      let sent = params;
      if (method === 'events.create') {
        // Whoever sees that a step or a run has ended sees all it printed.
        work.flushOutput();
        if (params.event.eventType === 'step_completed') await work.flushed();
        else if (ATTEMPT_ENDS.has(params.event.eventType)) await work.stored();
        sent = { ...params, event: positions.inEvent(params.event) };
      }
      const given = eitherOf(signal, work.currentSignal());
      const calls = work.currentCalls();
      const answered = calls
        ? calls.call(method, sent, given)
        : connection.call(method, sent, undefined, given);
      if (STREAM_WRITES.has(method)) work.writes(answered);
      return answered;
    },
    onAhead: work.ahead,
    specVersion,
    createQueueHandler: registry.createQueueHandler,
    deploymentId,
    // They all share one connection. A step that waits keeps no place; one
    // that were not let wait would, and keep what it waits for from running.
    maxPolls: Infinity,
  });
  provideWorld({ ...world, streamFlushIntervalMs: TURN_END_MS });
  survive();
  contexts.serve();
  work.watchOutput();
  positions.watchScripts();
  consumeOnce();
  shortenTimers(work.isReplaying);

  try {
    artifact = loadArtifact(folder, registry, decode);
  } catch (error) {
    const stack =
      error instanceof Error
        ? positions.inText(String(error.stack))
        : undefined;
    connection.send({ t: 'failed', message: describe(error), stack });
    void connection.flush().then(() => process.exit(1));
    return;
  }
  connection.send({
    t: 'hello',
    pid: process.pid,
    nodeVersion: process.versions.node,
    deploymentId,
    coreVersion: sdk.core,
    specVersion,
  });
  startWatchdog();
  setInterval(() => {
    const rss = process.memoryUsage.rss();
    connection.send({ t: 'heartbeat', rss, inFlight: work.inFlight() });
  }, HEARTBEAT_MS);
}

/**
 * The answer to the call that begins a replay, if it came with the delivery and
 * goes on where the log ends that is kept here.
 *
 * @param {any} delivery The frame.
 * @param {Record<string, any>} params
 */
function takeReplayBegin(delivery, { runId, knownSlot = 0 }) {
  const { first } = delivery;
  const answer = first?.answer.value;
  if (first?.eventType !== 'run_started' || answer.run.runId !== runId) return;
  delivery.first = undefined;
  return first.knownSlot === knownSlot ? answer : undefined;
}

/**
 * @param {AbortSignal | undefined} one
 * @param {AbortSignal | undefined} other
 */
function eitherOf(one, other) {
  return one && other ? AbortSignal.any([one, other]) : (one ?? other);
}

/** Bound early, since a bundle may put something else in its place. */
const kill = process.kill.bind(process, process.pid, 'SIGKILL');

/**
 * End at once, whatever the bundles are doing.
 *
 * @param {string} reason
 */
function die(reason) {
  process.stderr.write(`The executor ends: ${reason}.\n`);
  kill();
}

/** Decide which faults of a bundle end the process. */
function survive() {
  // One step's forgotten promise must not end the other runs' steps.
  process.on('unhandledRejection', (reason) => {
    console.error('Unhandled rejection:', reason);
  });
  // After an exception that nothing caught, the state is anyone's guess. The
  // worker delivers again what was in flight.
  process.on('uncaughtException', (error) => {
    console.error('Uncaught exception, the executor ends:', error);
    process.exit(1);
  });
  // A stop is for the worker to handle; it ends this process when it is ready,
  // though a service manager may signal both.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {});
  }
}

const [settings] = process.argv.splice(2, 1);
main(JSON.parse(settings));
