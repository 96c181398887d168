// Reads the settings of Workflow Studio and the Workflow SDK from the app's .env
// files, for frameworks that do not bring them into the environment themselves.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const util = require('node:util');

const OURS = /^WORKFLOW_/;

/**
 * Puts the variables WORKFLOW_* of `.env`, `.env.local`, `.env.<mode>` and
 * `.env.<mode>.local` into the environment. A later file wins over an earlier
 * one, as with Vite, and what is in the environment wins over all.
 *
 * @param {string} folder
 * @param {string} [mode] Such as development; left out, only the first two count.
 * @param {Record<string, string | undefined>} [env]
 */
function loadEnvFiles(folder, mode, env = process.env) {
  const names = ['.env', '.env.local'];
  if (mode) {
    names.push(`.env.${mode}`, `.env.${mode}.local`);
  }
  /** @type {Record<string, string | undefined>} */
  const found = Object.assign(
    {},
    ...names.map((name) => variables(path.join(folder, name))),
  );
  for (const [name, value] of Object.entries(found)) {
    if (OURS.test(name) && value) {
      env[name] ??= value;
    }
  }
}

/**
 * @param {string} file
 * @returns {NodeJS.Dict<string>}
 */
function variables(file) {
  let text;
  try {
    text = fs.readFileSync(/* turbopackIgnore: true */ file, 'utf8');
  } catch {
    return {}; // most apps have few of these files
  }
  // Node.js before 20.12 reads no such files; there, the environment has to do.
  return util.parseEnv?.(text) ?? {};
}

module.exports = { loadEnvFiles };
