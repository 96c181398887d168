// Hooks of Node.js' module loader. They run in a thread of their own.
//
// A file of the app that holds workflows or steps is compiled as the SDK's own
// integrations compile it for the app's side; TypeScript loses its types.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { createCompiler } from './compile.mjs';

/** A script that is no part of a library. */
const OWN_SCRIPT = /^file:(?!.*\/node_modules\/).*\.[mc]?[jt]sx?$/;
const TYPESCRIPT = /\.(?:[mc]?ts|tsx)$/;
const MODULE_SYNTAX = /^\s*(?:import|export)\b/m;
/** What a specifier may mean, by how it ends. */
const MEANINGS = new Map([
  ['.js', ['.ts', '.tsx']],
  ['.jsx', ['.tsx']],
  ['.mjs', ['.mts']],
  ['.cjs', ['.cts']],
]);
const ENDINGS = ['.ts', '.tsx', '.mts', '.js', '.mjs', '.cjs', '.json'];
const NOT_FOUND = new Set([
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'MODULE_NOT_FOUND',
]);

/**
 * What the compiler itself consists of passes through these hooks, too.
 *
 * @type {import('./compile.mjs').Compiler | undefined}
 */
let compiler;

/** @param {any} data */
export async function initialize(data) {
  compiler = await createCompiler(data.root);
}

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  const meant = compiler?.mapped(specifier) ?? specifier;
  try {
    return await next(meant, context);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (!NOT_FOUND.has(code ?? '') || !isOfApp(meant, context.parentURL)) {
      throw error;
    }
    for (const candidate of candidates(meant)) {
      try {
        return await next(candidate, context);
      } catch {
        // The first error is the one to tell, if no candidate is there.
      }
    }
    throw error;
  }
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  const [address] = url.split('?');
  if (!compiler || !OWN_SCRIPT.test(address)) {
    return next(url, context);
  }
  const file = fileURLToPath(address);
  const code = await readFile(file, 'utf8');
  const compiled = await compiler.compile(code, file);
  if (compiled === undefined) {
    return next(url, context);
  }
  const format = TYPESCRIPT.test(file)
    ? formatOf(file, code)
    : (await next(url, context)).format;
  return { format, source: compiled, shortCircuit: true };
}

/**
 * Whether a specifier is of a file, and written in a file of the app.
 *
 * @param {string} specifier
 * @param {string | undefined} parent
 * @returns {boolean}
 */
function isOfApp(specifier, parent) {
  return (
    /^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier) &&
    !parent?.includes('/node_modules/')
  );
}

/**
 * @param {string} specifier
 * @returns {string[]}
 */
function candidates(specifier) {
  const ending = /\.[mc]?jsx?$/.exec(specifier)?.[0] ?? '';
  const stem = specifier.slice(0, specifier.length - ending.length);
  const renamed = (MEANINGS.get(ending) ?? []).map((other) => stem + other);
  const folder = specifier.replace(/\/$/, '');
  return [
    ...renamed,
    ...ENDINGS.map((other) => specifier + other),
    ...ENDINGS.map((other) => `${folder}/index${other}`),
  ];
}

/**
 * @param {string} file
 * @param {string} code
 * @returns {'module' | 'commonjs'}
 */
function formatOf(file, code) {
  if (file.endsWith('.mts')) {
    return 'module';
  }
  return file.endsWith('.cts') || !MODULE_SYNTAX.test(code)
    ? 'commonjs'
    : 'module';
}
