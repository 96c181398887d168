/*
 * The Workflow SDK makes new plugins for every build; esbuild knows those of the first one. These stand in between, and
 * keep what the plugins made of each file.
 */

import { statSync } from 'node:fs';
import { sep } from 'node:path';

export const NODE_MODULES = `${sep}node_modules${sep}`;

// These plugins answer from the file system alone. The SDK's third plugin keeps a record of every import it is asked
// about, so it must be asked.
const STATELESS = new Set(['swc-workflow-plugin', 'workflow-pseudo-packages']);
// How SWC's transform leaves the ids it found, which the SDK's plugin collects (source: @workflow/builders 4.1.14).
const IDS = '/**__internal_workflows';

/**
 * @typedef {{ filter: any, run: (args: any) => any }} Handler
 * @typedef {{ name: string, resolve: Handler[], load: Handler[], start: Function[], end: Function[] }} Collected
 * @typedef {{ plugin: number, handler: number, args: any, made: any, stamp: string }} Loaded
 * @typedef {object} Slot One esbuild context that is kept.
 * @property {any} context
 * @property {any[]} builds What esbuild gave each plugin.
 * @property {Collected[]} plugins The plugins of the latest call.
 * @property {Map<string, Loaded>} loaded What plugins made of each file in this build.
 * @property {Map<string, Loaded>} before The same of the build before.
 * @property {Map<string, any>} answers Resolutions inside of packages.
 * @property {Map<string, string>} others Digests of the files that esbuild reads by itself.
 * @property {any} last The last good result.
 * @property {number} used The build that used it last.
 */

/**
 * Files of packages do not change under a developer's hands: what the file system says of them is enough.
 *
 * @param {string} path
 */
export function stampOf(path) {
  const { ctimeNs, ino, mtimeNs, size } = statSync(path, { bigint: true });
  return [ctimeNs, ino, mtimeNs, size].join(' ');
}

/**
 * @param {any} plugin
 * @param {any} build
 * @returns {Collected}
 */
export function collect(plugin, build) {
  /** @type {Collected} */
  const found = {
    name: plugin.name,
    resolve: [],
    load: [],
    start: [],
    end: [],
  };
  plugin.setup({
    ...build,
    onResolve: (/** @type {any} */ filter, /** @type {any} */ run) =>
      found.resolve.push({ filter, run }),
    onLoad: (/** @type {any} */ filter, /** @type {any} */ run) =>
      found.load.push({ filter, run }),
    onStart: (/** @type {any} */ run) => found.start.push(run),
    onEnd: (/** @type {any} */ run) => found.end.push(run),
  });
  return found;
}

/**
 * Register one plugin with a context, so that its handlers of the latest call answer.
 *
 * @param {Slot} slot
 * @param {any} plugin
 * @param {number} at
 * @param {any} build
 */
export function attach(slot, plugin, at, build) {
  const first = collect(plugin, build);
  slot.builds[at] = build;
  slot.plugins[at] = first;
  first.resolve.forEach(({ filter }, handler) =>
    build.onResolve(filter, (/** @type {any} */ args) =>
      answer(slot, at, handler, args),
    ),
  );
  first.load.forEach(({ filter }, handler) =>
    build.onLoad(filter, (/** @type {any} */ args) =>
      loadFile(slot, at, handler, args),
    ),
  );
  first.start.forEach((_, handler) =>
    build.onStart(() => slot.plugins[at].start[handler]()),
  );
  first.end.forEach((_, handler) =>
    build.onEnd((/** @type {any} */ result) =>
      slot.plugins[at].end[handler](result),
    ),
  );
}

/**
 * @param {Slot} slot
 * @param {number} plugin
 * @param {number} handler
 * @param {any} args
 */
async function answer(slot, plugin, handler, args) {
  const { name, resolve } = slot.plugins[plugin];
  if (
    !STATELESS.has(name) ||
    args.pluginData !== undefined ||
    !`${args.resolveDir}${sep}`.includes(NODE_MODULES)
  ) {
    return resolve[handler].run(args);
  }
  const key = JSON.stringify([
    plugin,
    handler,
    args.kind,
    args.resolveDir,
    args.path,
  ]);
  if (!slot.answers.has(key)) {
    slot.answers.set(key, await resolve[handler].run(args));
  }
  return slot.answers.get(key);
}

/**
 * @param {Slot} slot
 * @param {number} plugin
 * @param {number} handler
 * @param {any} args
 */
async function loadFile(slot, plugin, handler, args) {
  const before = slot.before.get(args.path);
  if (before !== undefined && isStill(before)) {
    slot.loaded.set(args.path, before);
    return before.made;
  }
  const stamp = args.path.includes(NODE_MODULES) ? stampOf(args.path) : '';
  const made = await slot.plugins[plugin].load[handler].run(args);
  if (typeof made?.contents === 'string' && args.namespace === 'file') {
    slot.loaded.set(args.path, { plugin, handler, args, made, stamp });
  }
  return made;
}

/**
 * Tell whether a file needs no second look: nothing is read, and no id of it is collected.
 *
 * @param {Loaded} entry
 */
function isStill({ args, made, stamp }) {
  return (
    stamp !== '' && !made.contents.includes(IDS) && stampOf(args.path) === stamp
  );
}

/**
 * @param {Slot} slot
 * @param {Loaded} entry
 */
export async function isLoadedSame(slot, entry) {
  if (isStill(entry)) {
    return true;
  }
  const { args, handler, made, plugin } = entry;
  const now = await slot.plugins[plugin].load[handler].run(args);
  return now?.contents === made.contents && now.loader === made.loader;
}
