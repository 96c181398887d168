// The app's own copy of the Workflow SDK. It is an ES module, so it is imported
// when it is needed; a bundler that takes this file in takes it in, too.
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

/**
 * @typedef {object} Sdk
 * @property {(workflow: { workflowId: string }, args: unknown[]) => Promise<{ runId: string, world?: any }>} start
 * @property {(runId: string) => { returnValue: Promise<any> }} getRun
 * @property {(token: string, request: Request) => Promise<Response>} resumeWebhook
 * @property {() => Promise<any>} getWorld
 */

/**
 * @returns {Promise<Sdk>}
 */
async function loadSdk() {
  const api = await load('workflow/api', () => import('workflow/api'));
  return {
    start: api.start,
    getRun: api.getRun,
    resumeWebhook: api.resumeWebhook,
    // Never as an import that can be read: the SDK's builder, which looks through
    // this folder too, would put its runtime into the app's bundle of steps.
    getWorld: async () => (await loadFromApp('workflow/runtime')).getWorld(),
  };
}

/**
 * @param {string} name
 * @param {() => Promise<any>} importHere
 * @returns {Promise<any>}
 */
async function load(name, importHere) {
  try {
    return await importHere();
  } catch (error) {
    if (/** @type {any} */ (error)?.code !== 'ERR_MODULE_NOT_FOUND') {
      throw error;
    }
  }
  // This file may have been moved to where it does not see the app's packages.
  return loadFromApp(name);
}

/**
 * @param {string} name
 * @returns {Promise<any>}
 */
async function loadFromApp(name) {
  const here = createRequire(path.join(process.cwd(), 'index.js'));
  try {
    const file = here.resolve(/* turbopackIgnore: true */ name);
    return await import(
      /* turbopackIgnore: true */ /* webpackIgnore: true */ /* @vite-ignore */ pathToFileURL(
        file,
      ).href
    );
  } catch (cause) {
    throw Object.assign(
      new Error(
        `The Workflow SDK (${name}) cannot be loaded from ${process.cwd()}. Start the app where its node_modules are.`,
        { cause },
      ),
      { code: 'sdk_not_found' },
    );
  }
}

module.exports = { loadSdk };
