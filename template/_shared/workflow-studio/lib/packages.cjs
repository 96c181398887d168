// Finds packages as Node.js does, but by folder: many packages do not export
// their package.json, and this also works where a bundler moved this file.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

/**
 * @typedef {object} Found
 * @property {string} folder
 */
/**
 * @typedef {object} Missing
 * @property {string} problem What is wrong and what to do.
 */

const LOCAL_WORLD = '@workflow/world-local';

/**
 * Returns the real folder of a package as seen from a folder.
 *
 * @param {string} name
 * @param {string} from
 * @returns {string | undefined}
 */
function findPackage(name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (fs.existsSync(path.join(candidate, 'package.json'))) {
      return fs.realpathSync(candidate);
    }
    if (folder === path.dirname(folder)) {
      return undefined;
    }
  }
}

/**
 * Follows a chain of dependencies, each found from the one before it.
 *
 * @param {string[]} names
 * @param {string} from
 * @returns {string | undefined}
 */
function followPackages(names, from) {
  /** @type {string | undefined} */
  let folder = from;
  for (const name of names) {
    folder = folder && findPackage(name, folder);
  }
  return folder;
}

/**
 * @param {string} folder
 * @returns {string}
 */
function versionOf(folder) {
  const file = path.join(folder, 'package.json');
  return JSON.parse(fs.readFileSync(file, 'utf8')).version;
}

/**
 * Returns the version of the Workflow SDK's core that an app uses.
 *
 * @param {string} cwd
 * @returns {string | undefined}
 */
function coreVersion(cwd) {
  const folder = followPackages(['workflow', '@workflow/core'], cwd);
  return folder && versionOf(folder);
}

/**
 * Returns the World protocol that an app's Workflow SDK speaks: 7 for the 5.x
 * line, 3 for 4.x. Where the SDK was bundled away, 4.x is assumed.
 *
 * @param {string} cwd
 * @returns {number}
 */
function specVersion(cwd) {
  return Number.parseInt(coreVersion(cwd) ?? '4', 10) >= 5 ? 7 : 3;
}

/**
 * Finds the World that the Workflow SDK runs inside an app: a dependency of its
 * core, wherever an app's dependencies are laid out.
 *
 * @param {string} cwd
 * @returns {Found | Missing}
 */
function findLocalWorld(cwd) {
  const folder =
    followPackages(['workflow', '@workflow/core', LOCAL_WORLD], cwd) ??
    followPackages(['@workflow/core', LOCAL_WORLD], cwd) ??
    findPackage(LOCAL_WORLD, cwd);
  if (!folder) {
    return {
      problem: `execution.failPolicy 'fallback-local' needs the package ${LOCAL_WORLD}, which cannot be found from ${cwd}. Start the app where its node_modules are, or use 'error'.`,
    };
  }
  const version = versionOf(folder);
  return Number.parseInt(version, 10) === 4
    ? { folder }
    : {
        problem: `execution.failPolicy 'fallback-local' works with version 4 of ${LOCAL_WORLD}, and this app has ${version}. Use 'error'.`,
      };
}

module.exports = { coreVersion, findLocalWorld, followPackages, specVersion };
