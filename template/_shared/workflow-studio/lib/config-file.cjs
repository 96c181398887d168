// Finds and loads workflow.config.*. Loading is synchronous because the World
// and next.config are needed synchronously.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const {
  WorkflowStudioConfigError,
  checkConfig,
} = require('./config-check.cjs');
const { followPackages } = require('./packages.cjs');

/** @typedef {import('../types').LoadedConfig} LoadedConfig */

const NAMES = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'].map(
  (extension) => `workflow.config.${extension}`,
);
const CACHE = Symbol.for('workflow-studio//config-files');
const BUILT = Symbol.for('workflow-studio//built-config');
/** Where a standalone server of Next.js finds the settings it was built with. */
const MOVED_CONFIG = '.workflow-studio/workflow.config.json';

/**
 * Reads the app's `workflow.config.*`.
 *
 * @param {string} [cwd] The app's folder. Default: the current directory.
 * @returns {LoadedConfig} Without a file: an empty config.
 */
function loadWorkflowStudioConfig(cwd = process.cwd()) {
  // The comment keeps Turbopack from tracing the whole project for this call.
  const present = new Set(fs.readdirSync(/* turbopackIgnore: true */ cwd));
  const files = NAMES.filter((name) => present.has(name));
  if (files.length > 1) {
    throw new WorkflowStudioConfigError(
      cwd,
      `holds ${files.join(' and ')}`,
      'Keep one of them.',
    );
  }
  if (files.length === 0) {
    const built =
      /** @type {Record<symbol, any>} */ (globalThis)[BUILT] ??
      movedConfig(cwd);
    return { file: built, config: built ? loadCached(built) : {} };
  }
  const file = path.join(/* turbopackIgnore: true */ cwd, files[0]);
  return { file, config: loadCached(file) };
}

/**
 * @param {string} cwd
 * @returns {string | undefined}
 */
function movedConfig(cwd) {
  // Only there: elsewhere the file may be what an earlier build has left.
  if (!process.env.__NEXT_PRIVATE_STANDALONE_CONFIG) {
    return undefined;
  }
  const file = path.join(/* turbopackIgnore: true */ cwd, MOVED_CONFIG);
  return fs.existsSync(/* turbopackIgnore: true */ file) ? file : undefined;
}

/**
 * Names the file with the settings that the app was built with. They count where
 * the built app was moved away from its `workflow.config.*`.
 *
 * @param {string} file
 */
function setBuiltConfig(file) {
  /** @type {Record<symbol, any>} */ (globalThis)[BUILT] = file;
}

/**
 * @param {string} file
 * @returns {import('../types').WorkflowStudioConfig}
 */
function loadCached(file) {
  const store = /** @type {Record<symbol, any>} */ (globalThis);
  /** @type {Map<string, { mtime: number, config: any }>} */
  const cache = (store[CACHE] ??= new Map());
  const mtime = fs.statSync(file).mtimeMs;
  const known = cache.get(file);
  if (known && known.mtime === mtime) {
    return known.config;
  }
  const loaded = loadFile(file);
  const config = checkConfig(loaded?.default ?? loaded, path.basename(file));
  cache.set(file, { mtime, config });
  return config;
}

/**
 * @param {string} file
 * @returns {any}
 */
function loadFile(file) {
  try {
    if (file.endsWith('.json')) {
      return JSON.parse(fs.readFileSync(file, 'utf8'));
    }
    const esbuild = file.endsWith('.cjs') ? undefined : loadEsbuild(file);
    return esbuild
      ? compile(file, bundle(file, esbuild))
      : requireNatively(file);
  } catch (error) {
    if (error instanceof WorkflowStudioConfigError) {
      throw error;
    }
    throw new WorkflowStudioConfigError(
      path.basename(file),
      `cannot be loaded: ${firstLine(error)}`,
      'Correct the file; it must be loadable without await.',
      { cause: error },
    );
  }
}

/**
 * Takes the esbuild that the app's Workflow SDK brings along.
 *
 * @param {string} file
 * @returns {any}
 */
function loadEsbuild(file) {
  const folder = followPackages(
    ['workflow', '@workflow/next', '@workflow/builders', 'esbuild'],
    path.dirname(file),
  );
  return folder && Module.createRequire(file)(folder);
}

/**
 * @param {string} file
 * @param {any} esbuild
 * @returns {string} CommonJS
 */
function bundle(file, esbuild) {
  const result = esbuild.buildSync({
    entryPoints: [file],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    write: false,
    logLevel: 'silent',
  });
  return result.outputFiles[0].text;
}

/**
 * @param {string} file
 * @param {string} code
 * @returns {any}
 */
function compile(file, code) {
  const loaded = /** @type {any} */ (new Module.Module(file));
  loaded.filename = file;
  loaded.paths = /** @type {any} */ (Module)._nodeModulePaths(
    path.dirname(file),
  );
  loaded._compile(code, file);
  return loaded.exports;
}

/**
 * @param {string} file
 * @returns {any}
 */
function requireNatively(file) {
  try {
    return Module.createRequire(file)(file);
  } catch (error) {
    const code = /** @type {NodeJS.ErrnoException} */ (error).code;
    if (
      code !== 'ERR_UNKNOWN_FILE_EXTENSION' &&
      code !== 'ERR_REQUIRE_ESM' &&
      !(error instanceof SyntaxError && /\.m?ts$/.test(file))
    ) {
      throw error;
    }
    throw new WorkflowStudioConfigError(
      path.basename(file),
      `cannot be loaded by Node.js ${process.version} on its own`,
      'Install the package `workflow` in the app, use Node.js 22.18 or later, or write the file as workflow.config.json.',
      { cause: error },
    );
  }
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function firstLine(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0].replace(/[.:\s]+$/, '');
}

module.exports = { MOVED_CONFIG, loadWorkflowStudioConfig, setBuiltConfig };
