// Settings: adapter options win over workflow.config.*, which wins over the
// environment.
'use strict';

const { loadWorkflowStudioConfig } = require('./config-file.cjs');
const {
  ENVIRONMENT_NAME,
  WorkflowStudioConfigError,
  checkConfig,
} = require('./config-check.cjs');
const { findLocalWorld } = require('./packages.cjs');

/** @typedef {import('../types').AdapterOptions} AdapterOptions */
/** @typedef {import('../types').ResolvedConfig} ResolvedConfig */
/** @typedef {import('../types').WorkflowStudioConfig} WorkflowStudioConfig */

const WORLD_REMOTE = 'workflow-studio/world-remote';
const ENVIRONMENT_HEADER = 'x-workflow-studio-environment';
const DEFAULT_API_KEY_ENV = 'WORKFLOW_COMPUTE_API_KEY';
const DEFAULT_TIMEOUT_MS = 15_000;
const DEFAULT_RETRIES = 3;

/**
 * Returns `config` as it is, with its type checked by the editor.
 *
 * @template {WorkflowStudioConfig} T
 * @param {T} config
 * @returns {T}
 */
function defineWorkflowStudioConfig(config) {
  return config;
}

/**
 * Returns the base URL without query, fragment and slash at the end.
 *
 * @param {string} url
 * @param {string} [source] Where the URL comes from, for the error message.
 * @returns {string}
 */
function normalizeBaseUrl(url, source = 'the worker URL') {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new WorkflowStudioConfigError(
      source,
      `is ${JSON.stringify(url)}, which is not an http or https URL`,
      'Write it like https://worker.example.com.',
    );
  }
  if (parsed.username || parsed.password) {
    throw new WorkflowStudioConfigError(
      source,
      'holds a user name or a password',
      `Take them out of the URL; the key belongs in ${DEFAULT_API_KEY_ENV}.`,
    );
  }
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
}

/**
 * Returns the settings that come from the environment alone.
 *
 * @param {Record<string, string | undefined>} [env]
 * @returns {import('../types').ServerEnvDefaults}
 */
function getServerEnvDefaults(env = process.env) {
  return {
    targetWorld: env.WORKFLOW_TARGET_WORLD || undefined,
    baseUrl: env.WORKFLOW_COMPUTE_BASE_URL || undefined,
    environment: env.WORKFLOW_COMPUTE_ENVIRONMENT || undefined,
    apiKey: env[DEFAULT_API_KEY_ENV] || undefined,
    diagnosticsToken: env.WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN || undefined,
    // A server started with plain `node` has no NODE_ENV and is production.
    production: env.NODE_ENV !== 'development' && env.NODE_ENV !== 'test',
  };
}

/**
 * Puts adapter options, `workflow.config.*` and the environment together.
 *
 * @param {WorkflowStudioConfig} [config] The config; left out, the app's
 *   `workflow.config.*` is read.
 * @param {AdapterOptions} [options]
 * @param {Record<string, string | undefined>} [env]
 * @returns {ResolvedConfig}
 */
function resolveWorkflowStudioAdapterConfig(
  config,
  options = {},
  env = process.env,
) {
  const loaded = config
    ? { file: undefined, config: checkConfig(config, 'workflow config') }
    : loadWorkflowStudioConfig(options.cwd);
  checkConfig(
    {
      execution: options.execution,
      remoteWorldTarget: options.remoteWorldTarget,
    },
    'adapter options',
  );
  const defaults = getServerEnvDefaults(env);
  const execution = {
    ...loaded.config.execution,
    ...defined(options.execution),
  };
  const remoteWorldTarget =
    options.remoteWorldTarget ??
    loaded.config.remoteWorldTarget ??
    WORLD_REMOTE;
  const apiKeyEnv = execution.apiKeyEnv ?? DEFAULT_API_KEY_ENV;
  const executionMode =
    execution.mode ??
    (defaults.targetWorld === remoteWorldTarget ? 'remote' : 'local');
  const resolved = {
    executionMode,
    adapterMode: options.mode ?? 'passthrough',
    baseUrl: pickBaseUrl(execution.remoteWorkerUrl, defaults.baseUrl),
    environment:
      execution.environment ?? checkEnvironment(defaults.environment),
    apiKeyEnv,
    timeoutMs: execution.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    retries: execution.retries ?? DEFAULT_RETRIES,
    failPolicy: execution.failPolicy ?? 'error',
    remoteWorldTarget,
    configFile: loaded.file,
  };
  return /** @type {ResolvedConfig} */ (
    Object.defineProperty(resolved, 'apiKey', {
      value: env[apiKeyEnv] || undefined,
      enumerable: false,
    })
  );
}

/**
 * Whether workflows of this app run on the worker.
 *
 * @param {AdapterOptions} [options]
 * @returns {boolean}
 */
function shouldExecuteRemotely(options) {
  return (
    resolveWorkflowStudioAdapterConfig(undefined, options).executionMode ===
    'remote'
  );
}

/**
 * Says why the settings cannot be honoured by this app, if so.
 *
 * @param {ResolvedConfig} config
 * @param {string} [cwd]
 * @returns {string | undefined}
 */
function unsupported({ executionMode, failPolicy }, cwd = process.cwd()) {
  if (executionMode !== 'remote' || failPolicy !== 'fallback-local') {
    return undefined;
  }
  const found = findLocalWorld(cwd);
  return 'problem' in found ? found.problem : undefined;
}

/**
 * @param {string | undefined} configured
 * @param {string | undefined} fromEnv
 * @returns {string | undefined}
 */
function pickBaseUrl(configured, fromEnv) {
  if (configured !== undefined) {
    return normalizeBaseUrl(configured, 'execution.remoteWorkerUrl');
  }
  return fromEnv && normalizeBaseUrl(fromEnv, 'WORKFLOW_COMPUTE_BASE_URL');
}

/**
 * @param {string | undefined} name What the environment variable says.
 * @returns {string | undefined}
 */
function checkEnvironment(name) {
  if (name !== undefined && !ENVIRONMENT_NAME.test(name)) {
    throw new WorkflowStudioConfigError(
      'WORKFLOW_COMPUTE_ENVIRONMENT',
      `is ${JSON.stringify(name)}`,
      `It must be ${ENVIRONMENT_NAME.wanted}.`,
    );
  }
  return name;
}

/**
 * The headers by which the worker knows the app: its key, and the environment
 * of the worker that its runs belong to.
 *
 * @param {ResolvedConfig} config
 * @returns {Record<string, string>}
 */
function workerHeaders({ apiKey, environment }) {
  return {
    ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
    ...(environment ? { [ENVIRONMENT_HEADER]: environment } : {}),
  };
}

/**
 * Returns the entries that have a value, so that an explicit `undefined` does
 * not hide a setting of lower rank.
 *
 * @template {object} T
 * @param {T | undefined} value
 * @returns {Partial<T>}
 */
function defined(value) {
  const entries = Object.entries(value ?? {});
  return /** @type {Partial<T>} */ (
    Object.fromEntries(entries.filter(([, item]) => item !== undefined))
  );
}

module.exports = {
  ENVIRONMENT_HEADER,
  WORLD_REMOTE,
  WorkflowStudioConfigError,
  defineWorkflowStudioConfig,
  getServerEnvDefaults,
  loadWorkflowStudioConfig,
  normalizeBaseUrl,
  resolveWorkflowStudioAdapterConfig,
  shouldExecuteRemotely,
  unsupported,
  workerHeaders,
};
