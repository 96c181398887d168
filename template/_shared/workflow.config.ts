import { defineWorkflowStudioConfig } from 'workflow-studio';

// Settings win over the environment. What is left out comes from there:
// WORKFLOW_TARGET_WORLD, WORKFLOW_COMPUTE_BASE_URL, WORKFLOW_COMPUTE_API_KEY.
export default defineWorkflowStudioConfig({
  execution: {
    // 'remote' runs workflows on the worker, 'local' in this app. Left out,
    // WORKFLOW_TARGET_WORLD=workflow-studio/world-remote means remote.
    // mode: 'remote',
    // remoteWorkerUrl: 'https://worker.example.com',
    apiKeyEnv: 'WORKFLOW_COMPUTE_API_KEY',
    timeoutMs: 15_000,
    retries: 3,
    // 'fallback-local' runs in this app what start() cannot bring to the worker.
    failPolicy: 'error',
  },
});
