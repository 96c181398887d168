import type {
  AdapterOptions,
  ConvertOptions,
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
  env?: Record<string, string | undefined>,
): ResolvedConfig;

/** Returns the base URL without query, fragment and slash at the end. */
export function normalizeBaseUrl(url: string, source?: string): string;

/** Returns the settings that come from the environment alone. */
export function getServerEnvDefaults(
  env?: Record<string, string | undefined>,
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
 * Starts a run by the name of its workflow, where the app's workflows run: on
 * the worker, whose API key then needs the scope `trigger:write`, or in the app.
 */
export function proxyTrigger(
  request: TriggerRequest,
  options?: AdapterOptions,
): Promise<TriggerResponse>;

/** A call that reached a route of the app and is meant for a webhook. */
export type WebhookCall = WebhookTarget & WebhookContent;

/**
 * Whom a call is for: the webhook that has this token, which is all the
 * authority there is; or the worker's own Compute, if that takes calls of
 * providers such as `stripe`. Then the app's key vouches for the call, so check
 * the provider's signature before.
 */
export type WebhookTarget =
  | { token: string; provider?: undefined }
  | { provider: string; token?: undefined };

/** What was sent: a request of any framework, or its parts. */
export type WebhookContent =
  | {
      request: unknown;
      body?: undefined;
      headers?: undefined;
      method?: undefined;
      url?: undefined;
    }
  | {
      request?: undefined;
      body?: BodyInit | null;
      headers?:
        | Headers
        | Iterable<[string, string]>
        | Record<string, string | string[] | undefined>;
      /** Default: `POST`. */
      method?: string;
      /** Its query is passed on. */
      url?: string;
    };

export interface WebhookOptions extends AdapterOptions, ConvertOptions {
  /**
   * How long the workflow behind a webhook may take to answer, in milliseconds.
   * Left out: `WORKFLOW_COMPUTE_WEBHOOK_TIMEOUT` (in seconds), or 310 seconds.
   */
  webhookTimeoutMs?: number;
}

/** Hands a webhook call on, and returns what is answered to it. */
export function proxyWebhook(
  call: WebhookCall,
  options?: WebhookOptions,
): Promise<Response>;

/** A request that cannot be converted, and what its sender should be told. */
export class WorkflowStudioRequestError extends Error {
  readonly code: 'bad_request' | 'body_already_read' | 'unknown_request';
  readonly status: 400 | 500;
  readonly problem: string;
  readonly recovery: string | undefined;
}

/**
 * Returns the Web `Request` of a request of Node.js, Express, Fastify, Nest,
 * Vite, Next.js or Hono, or of an event or context that holds one.
 */
export function toWebRequest(
  source: unknown,
  options?: ConvertOptions,
): Request;

/** Sends a Web `Response` as the answer of Node.js' `ServerResponse`. */
export function sendWebResponse(response: Response, res: object): Promise<void>;

/**
 * Makes a handler for `node:http`, Express, Connect, Fastify or Next.js' Pages
 * API. Where `handle` returns nothing, the next handler gets the request.
 */
export function toNodeHandler(
  handle: (
    request: Request,
  ) => Promise<Response | undefined | void> | Response | undefined | void,
  options?: ConvertOptions,
): (req: any, res: any, next?: (error?: unknown) => void) => Promise<void>;
