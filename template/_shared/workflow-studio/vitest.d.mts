import type { TestWorkerOptions } from './testing';

/**
 * The plugin of Vitest that has the app's workflows run on a worker of the
 * tests. It starts the worker before the first test, deploys the workflows,
 * deploys them again when tests are run again after a change, and ends the
 * worker after the last test.
 */
export function workflowStudio(options?: TestWorkerOptions): Promise<any[]>;
export default workflowStudio;
