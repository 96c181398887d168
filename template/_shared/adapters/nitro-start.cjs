// The first import of a production server: makes what the app loads by name at run
// time found from every folder that the server may be started in.
'use strict';

const Module = require('node:module');
const path = require('node:path');

const { setBuiltConfig } = require('./lib/config-file.cjs');

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
