// What happens in the app's process before its own code.
import { createRequire, register } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import adapter from '../lib/adapter.cjs';
import config from '../lib/config.cjs';
import ownership from '../lib/ownership.cjs';
import server from '../lib/server.cjs';

const POLL_MS = 100;
const LONGEST_START_MS = 60_000;

/**
 * Reads `.env`, checks where workflows run, and makes Node.js load the app's
 * files as the SDK needs them.
 *
 * @param {string} environment Of the process, unless NODE_ENV says so.
 * @param {(root: string) => import('./handlers.mjs').Load} handlersOf
 */
export function startLoader(environment, handlersOf) {
  const root = process.cwd();
  process.env.NODE_ENV ??= environment;
  readEnvFile(root);
  try {
    if (process.env.NODE_ENV === 'production') {
      ownership.assertRemoteReroute();
    } else {
      adapter.rerouteToWorker();
    }
    register('./hooks.mjs', import.meta.url, { data: { root } });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
  const load = handlersOf(root);
  server.setHandlers(load);
  if (!config.shouldExecuteRemotely()) {
    resumeRuns(root, load).catch((error) => {
      console.warn(
        `[workflow-studio] Runs that an earlier process left unfinished could not be picked up: ${error?.message ?? error}`,
      );
    });
  }
}

/** @param {string} root */
function readEnvFile(root) {
  try {
    // What is in the environment already stays as it is.
    process.loadEnvFile(path.join(root, '.env'));
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code !== 'ENOENT') {
      throw error;
    }
  }
}

/**
 * Continues what the process before this one left unfinished, once this one
 * listens: its queue delivers by HTTP.
 *
 * @param {string} root
 * @param {import('./handlers.mjs').Load} load
 */
async function resumeRuns(root, load) {
  const limit = Date.now() + LONGEST_START_MS;
  while (!process.getActiveResourcesInfo().includes('TCPServerWrap')) {
    if (Date.now() > limit) {
      return;
    }
    await sleep(POLL_MS, undefined, { ref: false });
  }
  // The first request finds them loaded.
  await load('flow');
  const { resolve } = createRequire(path.join(root, 'package.json'));
  const { getWorld } = await import(
    pathToFileURL(resolve('workflow/runtime')).href
  );
  await getWorld().start?.();
}
