// The Workflow SDK's own World, run inside this app: what the fallback falls
// back to. It is the app's copy of @workflow/world-local, found at run time.
'use strict';

const { randomBytes, timingSafeEqual } = require('node:crypto');
const { createRequire } = require('node:module');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { pathToFileURL } = require('node:url');

const { findLocalWorld } = require('./packages.cjs');

/** @typedef {Record<string, any>} World */
/** @typedef {import('./queue.cjs').MessageHandler} MessageHandler */

// The queue of world-local delivers by HTTP to this app, whose queue routes are
// open to anybody. Only what carries this process's own secret is a delivery.
const SECRET_HEADER = 'x-workflow-studio-local';
const RECOVERY_POLL_MS = 250;
const RECOVERY_LIMIT_MS = 60_000;

const secret = randomBytes(32).toString('hex');

/**
 * @typedef {object} LocalWorld
 * @property {World} world
 * @property {string} deploymentId What runs of this World are stamped with.
 * @property {() => Promise<void>} prepare Makes the folder of its data, or says
 *   why it cannot be made.
 */

/** @type {Promise<LocalWorld> | undefined} */
let opened;

/**
 * Returns the local World; the first call loads it and, once this process
 * serves requests, picks up the runs that an earlier process left unfinished.
 *
 * @returns {Promise<LocalWorld>}
 */
function openLocalWorld() {
  if (!opened) {
    opened = load(process.cwd());
    opened.catch(() => {
      opened = undefined;
    });
  }
  return opened;
}

/**
 * @param {string} cwd
 * @returns {Promise<LocalWorld>}
 */
async function load(cwd) {
  const found = findLocalWorld(cwd);
  if ('problem' in found) {
    throw Object.assign(new Error(`Workflow Studio: ${found.problem}`), {
      code: 'invalid_config',
    });
  }
  const { resolve } = createRequire(path.join(found.folder, 'package.json'));
  const { createLocalWorld } = await importFile(
    resolve('@workflow/world-local'),
  );
  const { reenqueueActiveRuns } = await importFile(resolve('@workflow/world'));
  const dataDir = process.env.WORKFLOW_LOCAL_DATA_DIR || undefined;
  // Its own recovery would queue messages without the secret.
  const world = createLocalWorld({ dataDir, recoverActiveRuns: false });
  /** @type {Promise<void> | undefined} */
  let prepared;
  const prepare = () => {
    prepared ??= world.start().catch((/** @type {unknown} */ error) => {
      prepared = undefined;
      throw error;
    });
    return /** @type {Promise<void>} */ (prepared);
  };
  const local = {
    world: { ...world, queue: withSecret(world.queue) },
    deploymentId: await world.getDeploymentId(),
    prepare,
  };
  recover(local, reenqueueActiveRuns).catch((error) => {
    console.warn(
      `[workflow-studio] Runs that an earlier process of this app left unfinished could not be picked up: ${error?.message ?? error}`,
    );
  });
  return local;
}

/**
 * @param {string} file
 * @returns {Promise<Record<string, any>>}
 */
function importFile(file) {
  return import(pathToFileURL(file).href);
}

/**
 * @param {(name: string, message: any, options?: any) => Promise<any>} queue
 * @returns {(name: string, message: any, options?: any) => Promise<any>}
 */
function withSecret(queue) {
  return (name, message, options) =>
    queue(name, message, {
      ...options,
      headers: { ...options?.headers, [SECRET_HEADER]: secret },
    });
}

/**
 * A message that is delivered before the server listens would be lost.
 *
 * @param {LocalWorld} local
 * @param {(runs: any, queue: any, label: string) => Promise<void>} reenqueue
 */
async function recover({ world, prepare }, reenqueue) {
  const setting = process.env.WORKFLOW_LOCAL_RECOVER_ACTIVE_RUNS?.toLowerCase();
  if (setting === '0' || setting === 'false') {
    return;
  }
  const limit = Date.now() + RECOVERY_LIMIT_MS;
  while (!process.getActiveResourcesInfo().includes('TCPServerWrap')) {
    if (Date.now() > limit) {
      return;
    }
    await sleep(RECOVERY_POLL_MS, undefined, { ref: false });
  }
  await prepare();
  await reenqueue(world.runs, world.queue, 'workflow-studio');
}

/**
 * Whether a request is a message of this process's own local queue.
 *
 * @param {Request} request
 * @returns {boolean}
 */
function isLocalDelivery(request) {
  const given = Buffer.from(request.headers.get(SECRET_HEADER) ?? '');
  const wanted = Buffer.from(secret);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Ends what the local World does in this process, if it was ever loaded. */
async function closeLocalWorld() {
  const closing = opened;
  opened = undefined;
  await (await closing)?.world.close();
}

module.exports = { closeLocalWorld, isLocalDelivery, openLocalWorld };
