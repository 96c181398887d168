'use strict';
/**
 * An executor: a Node.js process that runs the deliveries of one deployment.
 *
 * Its only argument is its settings as JSON. It answers the worker over the
 * connection it inherits and ends with it: what it does after that nobody
 * would record.
 */

const { AsyncLocalStorage } = require('node:async_hooks');
const path = require('node:path');
const { loadArtifact, readSdk } = require('./artifact.cjs');
const { MAX_FRAME_SIZE, openConnection } = require('./connection.cjs');
const {
  providePort,
  provideWaitUntil,
  provideWorld,
} = require('./surroundings.cjs');

const HEARTBEAT_MS = 1000;
const DEFAULT_SPEC_VERSION = 3;
const MAX_MESSAGE_LENGTH = 4000;

/**
 * @typedef {object} Settings
 * @property {string} deploymentId
 * @property {string} protocol Folder with the JavaScript of the protocol.
 * @property {number} connection File descriptor of the connection.
 * @property {number} port The worker's port, for webhook URLs.
 */

/** @param {Settings} settings */
function main(settings) {
  // The worker starts an executor in the folder of its unpacked artifact.
  const folder = process.cwd();
  const { decode, encode } = require(path.join(settings.protocol, 'cbor.cjs'));
  const errors = require(path.join(settings.protocol, 'errors.cjs'));
  const { createWorld } = require(path.join(settings.protocol, 'world.cjs'));

  /** @type {AsyncLocalStorage<string>} The delivery that code runs for. */
  const currentDelivery = new AsyncLocalStorage();
  /** @type {ReturnType<typeof loadArtifact>} */
  let artifact;
  let inFlight = 0;
  let isDraining = false;

  /** @param {1 | -1} change */
  const count = (change) => {
    inFlight += change;
    if (isDraining && inFlight === 0) void leave(0);
  };
  /** @param {number} code */
  const leave = async (code) => {
    await connection.flush();
    process.exit(code);
  };

  /** @param {any} frame */
  const deliver = async (frame) => {
    const { delivery } = frame;
    count(1);
    const outcome = await currentDelivery
      .run(delivery, () => artifact.deliver(frame))
      .catch((error) => ({ error: describe(error) }));
    connection.send({ t: 'delivered', delivery, ...outcome });
    count(-1);
  };

  /** @param {any} frame */
  const answer = async (frame) => {
    const { request } = frame;
    count(1);
    const response = await artifact.request(frame).catch((error) => {
      console.error('The webhook handler failed:', error);
      return { status: 500, headers: [], body: new Uint8Array() };
    });
    if (!connection.send({ t: 'response', request, ...response })) {
      console.error(
        `The webhook handler answered with more than ${MAX_FRAME_SIZE} bytes.`,
      );
      connection.send({
        t: 'response',
        request,
        status: 500,
        headers: [],
        body: new Uint8Array(),
      });
    }
    count(-1);
  };

  /** @param {any} frame */
  const receive = (frame) => {
    if (frame.t === 'deliver') void deliver(frame);
    else if (frame.t === 'request') void answer(frame);
    else if (frame.t === 'drain') {
      isDraining = true;
      if (inFlight === 0) void leave(0);
    }
  };

  const connection = openConnection(
    settings.connection,
    { ...errors, decode, encode },
    receive,
    die,
  );
  const sdk = readSdk(folder);
  const specVersion = sdk.specVersion ?? DEFAULT_SPEC_VERSION;

  provideWaitUntil(count);
  providePort(settings.port);
  provideWorld(
    createWorld({
      /** @type {(method: string, params: any, options: any) => Promise<any>} */
      call: (method, params, { signal }) =>
        connection.call(method, params, currentDelivery.getStore(), signal),
      specVersion,
      deploymentId: settings.deploymentId,
    }),
  );
  survive();

  try {
    artifact = loadArtifact(folder);
  } catch (error) {
    connection.send({
      t: 'failed',
      message: describe(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    void leave(1);
    return;
  }
  connection.send({
    t: 'hello',
    pid: process.pid,
    nodeVersion: process.versions.node,
    deploymentId: settings.deploymentId,
    coreVersion: sdk.core,
    specVersion,
  });
  setInterval(() => {
    connection.send({
      t: 'heartbeat',
      rss: process.memoryUsage.rss(),
      inFlight,
    });
  }, HEARTBEAT_MS);
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function describe(error) {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, MAX_MESSAGE_LENGTH);
}

/** The worker is gone: end at once, whatever the bundles are doing. */
const kill = process.kill.bind(process, process.pid, 'SIGKILL');
/** @param {string} reason */
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
