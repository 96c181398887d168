import type {
  AdapterOptions,
  LoadedConfig,
  ResolvedConfig,
  ServerEnvDefaults,
  WorkflowStudioConfig,
} from './types';

export type * from './types';

/** The module that `WORKFLOW_TARGET_WORLD` names when workflows run on the worker. */
export const WORLD_REMOTE: 'workflow-studio/world-remote';

/** A setting that cannot be used. The message names the place and the fix. */
export class WorkflowStudioConfigError extends Error {
  readonly code: 'invalid_config';
}

/** Returns `config` as it is; the editor checks its type. */
export function defineWorkflowStudioConfig<T extends WorkflowStudioConfig>(
  config: T,
): T;

/** Reads the app's `workflow.config.*`. Without one, the config is empty. */
export function loadWorkflowStudioConfig(cwd?: string): LoadedConfig;

/**
 * Puts adapter options, `workflow.config.*` (or `config`) and the environment
 * together; the first of them that has a value wins.
 */
export function resolveWorkflowStudioAdapterConfig(
  config?: WorkflowStudioConfig,
  options?: AdapterOptions,
  env?: NodeJS.ProcessEnv,
): ResolvedConfig;

/** Returns the base URL without query, fragment and slash at the end. */
export function normalizeBaseUrl(url: string, source?: string): string;

/** Returns the settings that come from the environment alone. */
export function getServerEnvDefaults(
  env?: NodeJS.ProcessEnv,
): ServerEnvDefaults;

/** Whether workflows of this app run on the worker. */
export function shouldExecuteRemotely(options?: AdapterOptions): boolean;

/**
 * Throws if, in production, workflows are to run on the worker but
 * `WORKFLOW_TARGET_WORLD` would let them run in this process.
 */
export function assertRemoteReroute(options?: AdapterOptions): void;

/**
 * Makes the handler of `GET /api/workflow-studio/diagnostics/remote-ownership`.
 * It answers with an `OwnershipReport`. In production it needs
 * `WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN`, sent as a bearer token.
 */
export function createOwnershipDiagnosticsHandler(
  options?: AdapterOptions,
): (request: Request) => Promise<Response>;

export interface TriggerRequest {
  payload: {
    /** The workflow's id, such as `workflow//./workflows/order//fulfilOrder`. */
    workflowName: string;
    /** The arguments: an array has one element per parameter. */
    input?: unknown;
    runId?: string;
    deploymentId?: string;
  };
  /** Give the same key to a repeated request to get the first run again. */
  idempotencyKey?: string;
}

export interface TriggerResponse {
  runId: string;
  status: string;
  deploymentId: string;
}

/**
 * Starts a run on the worker by the name of its workflow. The API key needs the
 * scope `trigger:write`.
 */
export function proxyTrigger(
  request: TriggerRequest,
  options?: AdapterOptions,
): Promise<TriggerResponse>;
