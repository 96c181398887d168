'use strict';
/**
 * Positions in what goes out, as those of the user's files: errors that are
 * recorded, and lines that are printed.
 *
 * Only text is changed, on its way out. What code of the app reads from a
 * stack, and how it has stacks made, is left to it; and an executor in which
 * nothing fails never reads a map.
 */

const fs = require('node:fs');
const path = require('node:path');
const { readSourceMap } = require('./source-map.cjs');

/** The bundle that has a map of itself. That of `flow.js` is in its text. */
const STEP_BUNDLE = 'step.js';

const MAP_MARK = '//# sourceMappingURL=data:';
/** How the name begins that the SDK gives to the code of workflow functions. */
const OF_WORKFLOWS = /^[.@]/;
/** Names of code that are known; an app has no more files with workflows. */
const MAX_NAMES = 1000;

/** @typedef {ReturnType<typeof readSourceMap>} Find */

/**
 * @param {string} text
 * @returns {string} A regular expression that matches it.
 */
const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * @param {() => Buffer | string} read Reads code with a map; it may fail.
 * @returns {() => Find} Reads its map, once.
 */
function lazily(read) {
  /** @type {{ find: Find } | undefined} */
  let known;
  return () => {
    if (!known) {
      known = { find: undefined };
      try {
        known.find = readSourceMap(read());
      } catch {
        // Without a map, positions stay as they are.
      }
    }
    return known.find;
  };
}

/** @param {string} folder The unpacked artifact. */
function createPositions(folder) {
  /**
   * How code with a map is named in a stack, and its map.
   *
   * @type {Map<string, { pattern: RegExp, map: () => Find }>}
   */
  const mapped = new Map();

  /**
   * @param {string} name
   * @param {() => Buffer | string} read
   */
  const add = (name, read) => {
    const pattern = new RegExp(
      `(?<![\\w./-])(?:file://)?${escaped(name)}:(\\d+):(\\d+)`,
      'g',
    );
    mapped.set(name, { pattern, map: lazily(read) });
  };

  /**
   * @param {string} text
   * @returns {string} The text with the user's files in place of the bundles.
   */
  const inText = (text) => {
    let shown = text;
    for (const [name, { pattern, map }] of mapped) {
      if (!shown.includes(name)) continue;
      shown = shown.replace(pattern, (whole, line, column) => {
        const found = map()?.(Number(line), Number(column));
        return found ? `${found.file}:${found.line}:${found.column}` : whole;
      });
    }
    return shown;
  };

  const bundle = path.join(fs.realpathSync(folder), STEP_BUNDLE);
  add(bundle, () => fs.readFileSync(bundle));

  return {
    inText,

    /**
     * @param {any} event An event as the SDK creates it.
     * @returns {any} It with the user's positions in its error.
     */
    inEvent: (event) => {
      const data = event?.eventData;
      const isNested = typeof data?.error?.stack === 'string';
      if (!isNested && typeof data?.stack !== 'string') return event;
      const changed = isNested
        ? { error: { ...data.error, stack: inText(data.error.stack) } }
        : { stack: inText(data.stack) };
      return { ...event, eventData: { ...data, ...changed } };
    },

    /**
     * Learn of the code that workflow functions are run from.
     *
     * The SDK keeps it as text, and names it after the workflow's file (source:
     * @workflow/core 4.8.9, vm/script-cache.js). By that name it would map an
     * error's stack itself, with columns from 0 as it reads and writes them
     * (source-map.js); it leaves what has another name.
     */
    watchScripts: () => {
      const vm = /** @type {any} */ (require('node:vm'));
      vm.Script = class Script extends vm.Script {
        /**
         * @param {string} code
         * @param {import('node:vm').ScriptOptions | string} [options]
         */
        constructor(code, options) {
          const given =
            typeof options === 'string' ? { filename: options } : options;
          const filename = given?.filename;
          if (
            !filename ||
            !OF_WORKFLOWS.test(filename) ||
            !code.includes(MAP_MARK)
          ) {
            super(code, options);
            return;
          }
          const name = filename.replace(OF_WORKFLOWS, 'workflow:');
          super(code, { ...given, filename: name });
          const isNew = !mapped.has(name) && mapped.size < MAX_NAMES;
          if (isNew) add(name, () => code);
        }
      };
    },
  };
}

module.exports = { createPositions };
