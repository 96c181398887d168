// The handlers of a Nest app's workflows and steps: where they are, whether they
// are still those of the sources, and how they are built: by nest-build.mjs in
// front of `nest build`, or by nest.cjs at the start.
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

/**
 * @typedef {object} BuildOptions What `WorkflowModule.forRoot()` takes.
 * @property {string} [workingDir]
 * @property {string[]} [dirs]
 * @property {string} [outDir]
 * @property {'es6' | 'commonjs'} [moduleType]
 * @property {string} [distDir]
 */

const FILES = ['workflows.mjs', 'steps.mjs', 'webhook.mjs'];
const SOURCE = /\.[cm]?[jt]sx?$/;

/**
 * Returns the app's folder, whatever folder the process was started in.
 *
 * @returns {string}
 */
function findAppRoot() {
  // The package is a folder of the app, to which node_modules links.
  if (!__dirname.split(path.sep).includes('node_modules')) {
    return path.dirname(__dirname);
  }
  // It was copied there, be it by a package manager or into an image.
  const main = process.argv[1];
  for (
    let folder = main ? path.dirname(path.resolve(main)) : '';
    folder && folder !== path.dirname(folder);
    folder = path.dirname(folder)
  ) {
    if (fs.existsSync(path.join(folder, 'package.json'))) {
      return folder;
    }
  }
  return process.cwd();
}

/**
 * Returns the options of the SDK's builder, with everything that it would look
 * for in the current directory, or take for granted, said.
 *
 * @param {string} root
 * @param {BuildOptions} [given]
 * @returns {Required<BuildOptions>}
 */
function buildOptions(root, given = {}) {
  const workingDir = given.workingDir ?? root;
  return {
    workingDir,
    outDir: path.resolve(workingDir, given.outDir ?? '.nestjs/workflow'),
    dirs: given.dirs ?? [sourceRoot(workingDir)],
    moduleType: given.moduleType ?? moduleType(workingDir),
    distDir: given.distDir ?? 'dist',
  };
}

/**
 * @param {string} folder
 * @returns {string}
 */
function sourceRoot(folder) {
  return readJson(path.join(folder, 'nest-cli.json'))?.sourceRoot ?? 'src';
}

/**
 * @param {string} folder
 * @returns {'es6' | 'commonjs'}
 */
function moduleType(folder) {
  const { type } = readJson(path.join(folder, 'package.json')) ?? {};
  return type === 'module' ? 'es6' : 'commonjs';
}

/**
 * @param {string} file
 * @returns {any}
 */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined; // missing, or JSON with comments: the defaults hold
  }
}

/**
 * @param {Required<BuildOptions>} options
 * @returns {boolean}
 */
function areHandlersThere({ outDir }) {
  return FILES.every((name) => fs.existsSync(path.join(outDir, name)));
}

/**
 * Whether the handlers have to be built: there are none, or a source is newer.
 * Where the sources were left behind, as in an image, what was built is right.
 *
 * @param {Required<BuildOptions>} options
 * @returns {boolean}
 */
function areHandlersStale(options) {
  if (!areHandlersThere(options)) {
    return true;
  }
  const built = Math.min(
    ...FILES.map(
      (name) => fs.statSync(path.join(options.outDir, name)).mtimeMs,
    ),
  );
  const { workingDir, dirs } = options;
  return dirs.some((dir) => hasNewer(path.resolve(workingDir, dir), built));
}

/**
 * @param {string} folder
 * @param {number} time
 * @returns {boolean}
 */
function hasNewer(folder, time) {
  if (!fs.existsSync(folder)) {
    return false;
  }
  // A folder changes when something in it is removed or renamed.
  return (
    fs.statSync(folder).mtimeMs > time ||
    fs
      .readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => name !== 'node_modules' && !name.startsWith('.'))
      .some((entry) => {
        const file = path.join(folder, entry.name);
        return entry.isDirectory()
          ? hasNewer(file, time)
          : SOURCE.test(entry.name) && fs.statSync(file).mtimeMs > time;
      })
  );
}

/**
 * @param {Required<BuildOptions>} options
 * @returns {Promise<void>}
 */
async function buildHandlers(options) {
  const { NestLocalBuilder } = await importFrom(
    options.workingDir,
    '@workflow/nest',
  );
  await new NestLocalBuilder(options).build();
}

/**
 * Imports a package as the app sees it.
 *
 * @param {string} root
 * @param {string} name
 * @returns {Promise<any>}
 */
function importFrom(root, name) {
  const { resolve } = createRequire(path.join(root, 'package.json'));
  return import(pathToFileURL(resolve(name)).href);
}

module.exports = {
  areHandlersStale,
  areHandlersThere,
  buildHandlers,
  buildOptions,
  findAppRoot,
  importFrom,
};
