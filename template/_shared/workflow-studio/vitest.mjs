// The plugin of Vitest that has the app's workflows run on a worker of the tests.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { OPTIONS } from './lib/vitest-keys.mjs';

const { followPackages } = createRequire(import.meta.url)('./lib/packages.cjs');

// A first run starts an executor, which takes a second on a slow machine.
const TEST_TIMEOUT_MS = 30_000;

/**
 * @param {import('./testing.d.ts').TestWorkerOptions} [options]
 * @returns {Promise<any[]>}
 */
export async function workflowStudio(options = {}) {
  const cwd = path.resolve(options.cwd ?? process.cwd());
  const { workflowTransformPlugin } = await import(
    pathToFileURL(transformIn(cwd)).href
  );
  return [
    // It gives workflow functions their ids, so that start() can send them.
    workflowTransformPlugin(),
    {
      name: 'workflow-studio:vitest',
      config(/** @type {any} */ { test = {} }) {
        return {
          test: {
            globalSetup: [beside('lib/vitest-worker.mjs')],
            setupFiles: [beside('lib/vitest-setup.mjs')],
            testTimeout: test.testTimeout ?? TEST_TIMEOUT_MS,
          },
        };
      },
      configureVitest(/** @type {any} */ { project }) {
        project.provide(OPTIONS, { ...options, cwd });
      },
    },
  ];
}

export default workflowStudio;

/**
 * @param {string} cwd
 * @returns {string}
 */
function transformIn(cwd) {
  const names = ['workflow', '@workflow/rollup'];
  const folder = followPackages(names, cwd);
  if (!folder) {
    throw new Error(
      `Workflow Studio: the packages ${names.join(' and ')} cannot be found from ${cwd}. Run: npm install`,
    );
  }
  return createRequire(path.join(folder, 'package.json')).resolve(folder);
}

/**
 * @param {string} file
 */
function beside(file) {
  return fileURLToPath(new URL(file, import.meta.url));
}
