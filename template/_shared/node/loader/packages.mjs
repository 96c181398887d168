// The parts of the Workflow SDK that build, as the app itself has them: a compiler
// and a plugin that do not belong together do not work together.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import packages from '../lib/packages.cjs';

/**
 * Imports a package that the app's `workflow` brings along.
 *
 * @param {string} root The app's folder.
 * @param {string[]} chain Packages, each a dependency of the one before it.
 * @returns {Promise<any>}
 */
export async function importOfSdk(root, ...chain) {
  const name = /** @type {string} */ (chain.pop());
  const holder = packages.followPackages(['workflow', ...chain], root);
  if (!holder) {
    throw Object.assign(
      new Error(
        `Workflow Studio: the package workflow cannot be found from ${root}. Install it, and start the app in the folder of its package.json.`,
      ),
      { code: 'sdk_not_found' },
    );
  }
  const { resolve } = createRequire(path.join(holder, 'package.json'));
  return import(pathToFileURL(resolve(name)).href);
}
