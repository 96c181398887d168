// Runs before `nest build` and `nest start`: tells SWC of the Workflow SDK's
// transformation, and builds the handlers of workflows and steps.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import handlers from './nest-handlers.cjs';

const { buildHandlers, buildOptions, findAppRoot } = handlers;

const PLUGIN = '@workflow/swc-plugin';
/** Settings of the team's own for SWC, which go into the .swcrc made here. */
const BASE = 'swcrc.base.json';

/**
 * @param {string} root
 */
function pluginPath(root) {
  const sdk = createRequire(join(root, 'package.json')).resolve(
    '@workflow/nest',
  );
  return createRequire(sdk).resolve(PLUGIN);
}

/**
 * Puts settings of the team over ours, object by object.
 *
 * @param {any} ours
 * @param {any} theirs
 * @returns {any}
 */
function merge(ours, theirs) {
  if (!isObject(ours) || !isObject(theirs)) {
    return theirs ?? ours;
  }
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return Object.fromEntries(
    [...names].map((name) => [name, merge(ours[name], theirs[name])]),
  );
}

/**
 * @param {any} value
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param {string} file
 * @returns {any}
 */
function readSettings(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    fail(
      `${file} is no JSON (${error instanceof Error ? error.message : error}). Correct it.`,
    );
  }
}

/**
 * @param {string} root
 * @param {'es6' | 'commonjs'} type
 */
function writeSwcrc(root, type) {
  const file = join(root, '.swcrc');
  const base = join(root, BASE);
  if (existsSync(file) && !readFileSync(file, 'utf8').includes('workflow')) {
    fail(
      `.swcrc holds settings of your own, and would have to be written over with the path of a plugin on this machine. Rename it to ${BASE}, which goes into it, and put .swcrc into .gitignore.`,
    );
  }
  const theirs = existsSync(base) ? readSettings(base) : {};
  const settings = merge(
    {
      jsc: {
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type },
      sourceMaps: true,
    },
    theirs,
  );
  const plugins = settings.jsc.experimental?.plugins ?? [];
  settings.jsc.experimental = {
    ...settings.jsc.experimental,
    plugins: [...plugins, [pluginPath(root), { mode: 'client' }]],
  };
  writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`);
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`Workflow Studio: ${message}`);
  process.exit(1);
}

const root = findAppRoot();
const options = buildOptions(root);
writeSwcrc(root, options.moduleType);
await buildHandlers(options);
