// The first import of a production server. What the app loads by name at run time
// is found from every folder that the server may be started in, and the settings of
// Workflow Studio are read from the .env of that folder.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const { setBasePath } = require('./base-path.cjs');
const { setBuiltConfig } = require('./lib/config-file.cjs');
const { loadEnvFiles } = require('./lib/env-file.cjs');

const { NODE_PATH } = process.env;
process.env.NODE_PATH = [NODE_PATH, path.dirname(__dirname)]
  .filter(Boolean)
  .join(path.delimiter);
// Reads the variable again. What is in reach of the current directory still wins.
/** @type {any} */ (Module)._initPaths();
if (NODE_PATH === undefined) {
  delete process.env.NODE_PATH;
} else {
  process.env.NODE_PATH = NODE_PATH;
}

setBuiltConfig(path.join(__dirname, 'workflow.config.json'));

loadEnvFiles(process.cwd(), 'production');

/** @type {string} */
const build = path.join(__dirname, 'nitro-build.json');
// It is written beside this file's copy in the output.
if (fs.existsSync(build)) {
  setBasePath(require(build).baseURL ?? '/');
}
