/**
 * Makes the World that runs workflows on the worker. The Workflow SDK calls it;
 * an app only names the module in `WORKFLOW_TARGET_WORLD`.
 */
export function createWorld(): Record<string, unknown> & {
  specVersion: number;
  close(): Promise<void>;
};
export default createWorld;
