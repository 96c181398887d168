// Runs a worker as long as the tests.
import { createRequire } from 'node:module';

import { ENVIRONMENT, OPTIONS } from './vitest-keys.mjs';

const { startTestWorker } = createRequire(import.meta.url)('./test-worker.cjs');

/**
 * @param {any} project
 */
export default async function setup(project) {
  const worker = await startTestWorker(project.getProvidedContext()[OPTIONS]);
  project.provide(ENVIRONMENT, worker.environment);
  project.onTestsRerun?.(() => worker.deploy());
  return () => worker.stop();
}
