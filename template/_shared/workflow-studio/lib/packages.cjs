// Finds packages as Node.js does, but by folder: many packages do not export
// their package.json, and this also works where a bundler moved this file.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

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
 * Returns the version of the Workflow SDK's core that an app uses.
 *
 * @param {string} cwd
 * @returns {string | undefined}
 */
function coreVersion(cwd) {
  const folder = followPackages(['workflow', '@workflow/core'], cwd);
  if (!folder) {
    return undefined;
  }
  const file = path.join(folder, 'package.json');
  return JSON.parse(fs.readFileSync(file, 'utf8')).version;
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

module.exports = { coreVersion, followPackages, specVersion };
