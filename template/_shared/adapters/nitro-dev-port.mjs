// Runs in a dev worker, bundled or by Vite; what it loads is neither.
import { createRequire } from 'node:module';
import { getEnvironmentData } from 'node:worker_threads';

/** @type {any} */
const shared = getEnvironmentData('workflow-studio:dev-port');
if (shared) {
  const { useDevPort } = createRequire(import.meta.url)(shared.module);
  await useDevPort(shared);
}

export default () => {};
