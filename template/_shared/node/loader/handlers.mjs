// Loads what answers the SDK's routes.
import { existsSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import server from '../lib/server.cjs';
import { createBuilder, handlerFiles } from './build.mjs';

/** @typedef {(request: Request) => Promise<Response>} Handler */
/** @typedef {'flow' | 'step'} Route */
/** @typedef {(route: Route) => Promise<Handler>} Load */
/**
 * @typedef {object} Built
 * @property {string} state
 * @property {Promise<Record<Route, Handler>>} handlers
 */

/**
 * Loads what `build.mjs` made.
 *
 * @param {string} root The app's folder.
 * @returns {Load}
 */
export function builtHandlers(root) {
  const files = handlerFiles(root);
  if (server.executesHere() && !existsSync(files.flow)) {
    throw Object.assign(
      new Error(
        'Workflow Studio: the handlers of the workflows are not built. Run "npm run build", or "node workflow-studio/loader/build.mjs", before the app is started.',
      ),
      { code: 'handlers_not_built' },
    );
  }
  /** @type {Promise<Record<Route, Handler>> | undefined} */
  let loaded;
  return async (route) => {
    loaded ??= importHandlers(files, '');
    return (await loaded)[route];
  };
}

/**
 * Builds when a source has changed, and loads what came of it.
 *
 * @param {string} root The app's folder.
 * @returns {Load}
 */
export function freshHandlers(root) {
  const files = handlerFiles(root);
  const builder = createBuilder(root);
  /** @type {Built | undefined} */
  let current;
  /** @type {Promise<void>} */
  let checking = Promise.resolve();

  const check = async () => {
    const state = stateOf(await (await builder).sources());
    if (state === current?.state) {
      return;
    }
    const handlers = (await builder)
      .build()
      .then(() => importHandlers(files, `?t=${Date.now()}`));
    // Whoever asks next tries again.
    handlers.catch(() => {
      current = undefined;
    });
    current = { state, handlers };
    await handlers;
  };

  return async (route) => {
    // One after the other: two builds at a time would write the same files.
    checking = checking.then(check, check);
    await checking;
    const { handlers } = /** @type {NonNullable<typeof current>} */ (current);
    return (await handlers)[route];
  };
}

/**
 * @param {string[]} sources
 * @returns {string} Another text when a file was changed, added or removed.
 */
function stateOf(sources) {
  let newest = 0;
  for (const source of sources) {
    const found = statSync(source, { throwIfNoEntry: false });
    newest = Math.max(newest, found?.mtimeMs ?? 0);
  }
  return `${sources.length} ${newest}`;
}

/**
 * @param {ReturnType<typeof handlerFiles>} files
 * @param {string} query Other than the last one, it loads the files anew.
 * @returns {Promise<Record<Route, Handler>>}
 */
async function importHandlers(files, query) {
  // The steps register themselves, so they come first.
  const step = await import(pathToFileURL(files.step).href + query);
  const flow = await import(pathToFileURL(files.flow).href + query);
  return { flow: flow.POST, step: step.POST };
}
