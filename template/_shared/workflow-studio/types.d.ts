/** Where workflow code runs: in this app, or on the worker. */
export type ExecutionMode = 'local' | 'remote';

/**
 * What `start()` does when the worker cannot be reached: fail with a message that
 * says why, or run the workflow in this app, from beginning to end.
 */
export type FailPolicy = 'error' | 'fallback-local';

/** How requests reach workflows: by the app's own routes, or also by the proxy helpers. */
export type AdapterMode = 'passthrough' | 'proxy-trigger';

export type ComputeScope =
  | 'trigger:write'
  | 'runs:read'
  | 'runs:write'
  | 'deploy:read'
  | 'deploy:write'
  | 'world:proxy'
  | 'admin';

export interface ExecutionConfig {
  /**
   * `remote` runs workflows on the worker. Left out, `WORKFLOW_TARGET_WORLD`
   * decides: `workflow-studio/world-remote` means remote, anything else local.
   */
  mode?: ExecutionMode;
  /** The worker's base URL. Left out: `WORKFLOW_COMPUTE_BASE_URL`. */
  remoteWorkerUrl?: string;
  /**
   * The environment of the worker that runs are started in. Left out:
   * `WORKFLOW_COMPUTE_ENVIRONMENT`, else the worker's default one.
   */
  environment?: string;
  /**
   * The name of the environment variable that holds the API key, never the key
   * itself. Default: `WORKFLOW_COMPUTE_API_KEY`.
   */
  apiKeyEnv?: string;
  /** How long one request may take, in milliseconds. Default: 15000. */
  timeoutMs?: number;
  /** How often a request that could not be answered is repeated. Default: 3. */
  retries?: number;
  /** Default: `error`. */
  failPolicy?: FailPolicy;
}

export interface SeedApiKey {
  keyId: string;
  projectId: string;
  environment: string;
  scopes: ComputeScope[];
  secret: string;
}

/** What the worker's factories are called with. */
export interface WorkerFactoryContext {
  env: NodeJS.ProcessEnv;
  cwd: string;
}

export type WorkerFactory<T = unknown> = (context: WorkerFactoryContext) => T;

export interface ComposedWorld {
  base: WorkerFactory;
  queue?: WorkerFactory;
  streams?: WorkerFactory;
}

/** Settings of a worker that reads this file. The app itself ignores them. */
export interface WorkerConfig {
  world?: WorkerFactory | ComposedWorld;
  compute?: WorkerFactory;
  server?: { host?: string; port?: number; requestOrigin?: string };
  security?: { requireHttps?: boolean };
  auth?: { seedApiKeys?: SeedApiKey[] };
  storage?: { sqlitePath?: string; artifactDir?: string };
  rateLimitPerMinute?: number;
}

/** The content of `workflow.config.ts`. */
export interface WorkflowStudioConfig {
  execution?: ExecutionConfig;
  worker?: WorkerConfig;
  /** The module that `WORKFLOW_TARGET_WORLD` must name. Default: `workflow-studio/world-remote`. */
  remoteWorldTarget?: string;
}

/** What an adapter (`withWorkflowStudio…`) may be told. It wins over the file and the environment. */
export interface AdapterOptions {
  /** The app's folder. Default: the current directory. */
  cwd?: string;
  mode?: AdapterMode;
  execution?: ExecutionConfig;
  remoteWorldTarget?: string;
}

/**
 * Whom to believe that says, in `X-Forwarded-Proto`, `-Host` and `-Port` or in
 * `Forwarded`, how the caller addressed the app: everybody, nobody, the proxies
 * at these addresses or in these networks (`10.0.0.0/8`), or those at addresses
 * that a function picks.
 */
export type TrustProxy =
  boolean | string | readonly string[] | ((address: string) => boolean);

/** How a request becomes a Web `Request`. */
export interface ConvertOptions {
  /**
   * Left out: what the framework was told itself (Express' `trust proxy`,
   * Fastify's `trustProxy`) and what `WORKFLOW_STUDIO_TRUSTED_PROXIES` lists.
   */
  trustProxy?: TrustProxy;
  /**
   * The response of Node.js that belongs to the request. `request.signal` tells
   * by it that the caller has gone away; it is found by itself where possible.
   */
  response?: object;
}

/** The settings after adapter options, `workflow.config.*` and the environment are put together. */
export interface ResolvedConfig {
  executionMode: ExecutionMode;
  adapterMode: AdapterMode;
  /** Without a slash at the end. */
  baseUrl: string | undefined;
  environment: string | undefined;
  apiKeyEnv: string;
  /** Not enumerable, so that printing the settings does not print the key. */
  readonly apiKey: string | undefined;
  timeoutMs: number;
  retries: number;
  failPolicy: FailPolicy;
  remoteWorldTarget: string;
  /** The file that was read, if there is one. */
  configFile: string | undefined;
}

/** A `workflow.config.*` that was found and read. */
export interface LoadedConfig {
  file: string | undefined;
  config: WorkflowStudioConfig;
}

/** The settings that come from the environment alone. */
export interface ServerEnvDefaults {
  targetWorld: string | undefined;
  baseUrl: string | undefined;
  environment: string | undefined;
  apiKey: string | undefined;
  diagnosticsToken: string | undefined;
  production: boolean;
}

/** A queue message that reached this app although the worker owns execution. */
export interface OwnershipEvent {
  at: string;
  method: string;
  path: string;
  /** The marker headers that were there; never their values. */
  headers: string[];
  /** Whether the body names a run, as a queue message does. */
  bodyShapeMatched: boolean;
}

/** A `start()` that found the worker out of reach and ran in this app. */
export interface FallbackEvent {
  at: string;
  reason: string;
}

export type OwnershipStatus = 'pass' | 'warn' | 'fail';

/** Whether the worker takes the app's key. */
export type WorkerAccess =
  | { status: 'ok'; code: string | null; message: null }
  | { status: 'refused' | 'unknown'; code: string; message: string };

/** The answer of the diagnostics route. */
export interface OwnershipReport {
  status: OwnershipStatus;
  /** Why the status is not `pass`, and what to do. */
  problems: string[];
  executionMode: ExecutionMode;
  /** What `WORKFLOW_TARGET_WORLD` names in this process. */
  targetWorld: string | null;
  expectedTargetWorld: string;
  worker: {
    baseUrl: string | null;
    /** The worker's environment; null stands for its default one. */
    environment: string | null;
    apiKeyConfigured: boolean;
    /** What the worker said to this app's key just now; null when this app executes by itself. */
    access: WorkerAccess | null;
  };
  /** Queue messages that reached this app, though the worker owns execution. */
  unexpectedHits: number;
  /** All requests that the queue routes refused, whatever they were. */
  refusedRequests: number;
  lastEvent: OwnershipEvent | null;
  failPolicy: FailPolicy;
  /** Runs that were started in this app because the worker could not be reached. */
  fallbacks: number;
  lastFallback: FallbackEvent | null;
  /** The state is one process's own: behind a load balancer each instance answers for itself. */
  instance: { id: string; host: string; pid: number; startedAt: string };
}
