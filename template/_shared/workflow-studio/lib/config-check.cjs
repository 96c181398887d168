// Checks the content of workflow.config.* by hand: the package has no
// dependency, and a wrong setting must say where it is and how to put it right.
'use strict';

/** @typedef {import('../types').WorkflowStudioConfig} WorkflowStudioConfig */
/**
 * @typedef {object} Rule
 * @property {(value: any) => boolean} test
 * @property {string} wanted
 */

/** A setting that cannot be used: where it is, what is wrong, what to do. */
class WorkflowStudioConfigError extends Error {
  /**
   * @param {string} where
   * @param {string} problem
   * @param {string} fix
   * @param {ErrorOptions} [options]
   */
  constructor(where, problem, fix, options) {
    super(`Workflow Studio: ${where} ${problem}. ${fix}`, options);
    this.name = 'WorkflowStudioConfigError';
    this.code = 'invalid_config';
  }
}

/** @type {(min: number, max: number) => Rule} */
const wholeNumber = (min, max) => ({
  test: (value) => Number.isInteger(value) && value >= min && value <= max,
  wanted: `a whole number from ${min} to ${max}`,
});
/** @type {(...values: string[]) => Rule} */
const oneOf = (...values) => ({
  test: (value) => values.includes(value),
  wanted: values.map((value) => `'${value}'`).join(' or '),
});
/** @type {Rule} */
const text = {
  test: (value) => typeof value === 'string' && value.trim() !== '',
  wanted: 'a non-empty string',
};
/** @type {Rule} */
const record = {
  test: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value),
  wanted: 'an object',
};
/** @type {Rule} */
const variableName = {
  test: (value) =>
    typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value),
  wanted:
    'the name of an environment variable such as WORKFLOW_COMPUTE_API_KEY (not the key itself)',
};

const ENVIRONMENT_NAME = {
  /** @param {unknown} value */
  test: (value) =>
    typeof value === 'string' && /^[a-z0-9][a-z0-9-]{0,62}$/.test(value),
  wanted:
    'the name of an environment of the worker: 1 to 63 of a-z, 0-9 and -, not beginning with a dash',
};

/** @type {Record<string, Rule>} */
const TOP_LEVEL = {
  execution: record,
  worker: record,
  remoteWorldTarget: text,
};

/** @type {Record<string, Rule>} */
const EXECUTION = {
  mode: oneOf('local', 'remote'),
  remoteWorkerUrl: text,
  environment: ENVIRONMENT_NAME,
  apiKeyEnv: variableName,
  timeoutMs: wholeNumber(1, 600_000),
  retries: wholeNumber(0, 20),
  failPolicy: oneOf('error', 'fallback-local'),
};

// Where a rejected value may be a secret pasted in the wrong place, the error
// must not repeat it.
const NEVER_SHOWN = new Set(['execution.apiKeyEnv']);

/**
 * Returns `config` when every setting in it can be used.
 *
 * @param {unknown} config
 * @param {string} where The file or argument the config comes from.
 * @returns {WorkflowStudioConfig}
 */
function checkConfig(config, where) {
  if (!record.test(config)) {
    throw new WorkflowStudioConfigError(
      where,
      'does not export a config object',
      'Write `export default defineWorkflowStudioConfig({ … })`.',
    );
  }
  const checked = /** @type {WorkflowStudioConfig} */ (config);
  checkFields(checked, TOP_LEVEL, where, '');
  checkFields(checked.execution ?? {}, EXECUTION, where, 'execution.');
  return checked;
}

/**
 * @param {object} values
 * @param {Record<string, Rule>} rules
 * @param {string} where
 * @param {string} prefix
 */
function checkFields(values, rules, where, prefix) {
  for (const [field, value] of Object.entries(values)) {
    const rule = Object.hasOwn(rules, field) ? rules[field] : undefined;
    if (!rule) {
      throw new WorkflowStudioConfigError(
        where,
        `has the unknown setting ${prefix}${field}`,
        `The settings here are ${Object.keys(rules).join(', ')}.`,
      );
    }
    if (value !== undefined && !rule.test(value)) {
      const name = `${prefix}${field}`;
      const shown = NEVER_SHOWN.has(name) ? '' : `, not ${show(value)}`;
      throw new WorkflowStudioConfigError(
        where,
        `is wrong at ${name}`,
        `It must be ${rule.wanted}${shown}.`,
      );
    }
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function show(value) {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

module.exports = { ENVIRONMENT_NAME, WorkflowStudioConfigError, checkConfig };
