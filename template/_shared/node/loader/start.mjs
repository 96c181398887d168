// What happens in the app's process before its own code.
import { register } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

import adapter from '../lib/adapter.cjs';
import config from '../lib/config.cjs';
import envFile from '../lib/env-file.cjs';
import ownership from '../lib/ownership.cjs';
import sdk from '../lib/sdk.cjs';
import server from '../lib/server.cjs';
import { importOfSdk } from './packages.mjs';

const POLL_MS = 100;
const LONGEST_START_MS = 60_000;

/**
 * Reads `.env` files, checks where workflows run, and makes Node.js load the app's
 * files as the SDK needs them.
 *
 * @param {string} environment Of the process, unless NODE_ENV says so.
 * @param {(root: string) => import('./handlers.mjs').Load} handlersOf
 */
export function startLoader(environment, handlersOf) {
  const root = process.cwd();
  process.env.NODE_ENV ??= environment;
  envFile.loadEnvFiles(root, process.env.NODE_ENV);
  try {
    if (process.env.NODE_ENV === 'production') {
      ownership.assertRemoteReroute();
    } else {
      adapter.rerouteToWorker();
    }
    register('./hooks.mjs', import.meta.url, { data: { root } });
    server.setHandlers(handlersOf(root));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
  if (!config.shouldExecuteRemotely()) {
    resumeRuns(root).catch((error) => {
      console.warn(
        `[workflow-studio] Runs that an earlier process left unfinished could not be picked up: ${error?.message ?? error}`,
      );
    });
  }
}

/**
 * Continues what the process before this one left unfinished, once this one
 * listens: its queue delivers by HTTP. Only the SDK's own World needs it.
 *
 * @param {string} root
 */
async function resumeRuns(root) {
  const startedAt = Date.now();
  const setting = process.env.WORKFLOW_LOCAL_RECOVER_ACTIVE_RUNS?.toLowerCase();
  while (!process.getActiveResourcesInfo().includes('TCPServerWrap')) {
    if (Date.now() - startedAt > LONGEST_START_MS) {
      return;
    }
    await sleep(POLL_MS, undefined, { ref: false });
  }
  // The first request finds them loaded.
  await server.loadHandler('flow');
  const target = process.env.WORKFLOW_TARGET_WORLD || 'local';
  if (target !== 'local' || setting === '0' || setting === 'false') {
    return;
  }
  const { reenqueueActiveRuns } = await importOfSdk(
    root,
    '@workflow/core',
    '@workflow/world',
  );
  const { runs, queue } = await (await sdk.loadSdk()).getWorld();
  // Those of this process are under way already.
  const list = async (/** @type {any} */ params) => {
    const page = await runs.list(params);
    const before = (/** @type {any} */ run) => +run.createdAt < startedAt;
    return { ...page, data: page.data.filter(before) };
  };
  await reenqueueActiveRuns({ ...runs, list }, queue, 'workflow-studio');
}
