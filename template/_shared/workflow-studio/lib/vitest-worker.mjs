// Runs a worker as long as the tests.
import { createRequire } from 'node:module';

import { ENVIRONMENT, OPTIONS } from './vitest-keys.mjs';

const require = createRequire(import.meta.url);
const { resolveWorkflowStudioAdapterConfig } = require('./config.cjs');
const { startTestWorker } = require('./test-worker.cjs');

/**
 * @param {any} project
 */
export default async function setup(project) {
  const options = project.getProvidedContext()[OPTIONS];
  const { cwd } = options;
  const config = resolveWorkflowStudioAdapterConfig(undefined, { cwd }, {});
  refuseOtherWorkers(config);
  const worker = await startTestWorker(options);
  project.provide(ENVIRONMENT, {
    ...worker.environment,
    [config.apiKeyEnv]: worker.apiKey,
  });
  project.onTestsRerun?.(() => worker.deploy());
  return () => worker.stop();
}

/**
 * Settings win over the environment, which leads to the worker of the tests.
 *
 * @param {import('../types.d.ts').ResolvedConfig} config
 */
function refuseOtherWorkers({ baseUrl, configFile, environment }) {
  const [setting, value, variable] = baseUrl
    ? ['execution.remoteWorkerUrl', baseUrl, 'WORKFLOW_COMPUTE_BASE_URL']
    : ['execution.environment', environment, 'WORKFLOW_COMPUTE_ENVIRONMENT'];
  if (value) {
    throw new Error(
      `Workflow Studio: ${configFile} sends workflows to ${value}, and so would these tests. Leave ${setting} out and set ${variable} where the app runs.`,
    );
  }
}
