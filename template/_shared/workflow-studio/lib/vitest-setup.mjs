// Has the workflows that a file of tests starts run on the worker of the tests.
import { createRequire } from 'node:module';

import { ENVIRONMENT } from './vitest-keys.mjs';

const { resolveWorkflowStudioAdapterConfig } = createRequire(import.meta.url)(
  './config.cjs',
);

// By a name that cannot be read: the SDK's builder looks through this folder,
// also where there is no Vitest.
const vitest = 'vitest';
const { inject } = await import(/* @vite-ignore */ vitest);

/** @type {Record<string, string>} */
const environment = inject(ENVIRONMENT);
const url = environment.WORKFLOW_COMPUTE_BASE_URL;
Object.assign(process.env, environment);

const config = resolveWorkflowStudioAdapterConfig();
if (config.baseUrl !== url) {
  throw new Error(
    `Workflow Studio: ${config.configFile} sends workflows to ${config.baseUrl}, and so would these tests. Leave execution.remoteWorkerUrl out and set WORKFLOW_COMPUTE_BASE_URL where the app runs.`,
  );
}
if (config.environment) {
  throw new Error(
    `Workflow Studio: ${config.configFile} names the environment ${config.environment}, which the worker of the tests has not. Leave execution.environment out and set WORKFLOW_COMPUTE_ENVIRONMENT where the app runs.`,
  );
}
process.env[config.apiKeyEnv] = environment.WORKFLOW_COMPUTE_API_KEY;
