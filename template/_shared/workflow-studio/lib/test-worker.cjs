// A worker that lives as long as the tests: `studio test-worker`. It ends with
// its standard input, so also when this process is killed.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');

/** @typedef {import('../testing').TestWorkerOptions} TestWorkerOptions */
/** @typedef {import('../testing').TestWorker} TestWorker */

const STOP_MS = 20_000;
const KEPT = 8_000;
const INSTALL = "pip install 'workflow-studio[worker]'";

/**
 * Starts a worker with the app's workflows.
 *
 * @param {TestWorkerOptions} [options]
 * @returns {Promise<TestWorker>}
 */
async function startTestWorker(options = {}) {
  const cwd = options.cwd ?? process.cwd();
  const more = options.envFile ? ['--env-file', options.envFile] : [];
  const child = run(options, ['test-worker', '-C', cwd, ...more]);
  const started = await firstDocument(child);
  const { url, apiKey, deploymentId, workflows } = started;

  return {
    url,
    apiKey,
    deploymentId,
    workflows,
    environment: started.environment,
    async deploy() {
      const deploying = run(options, ['deploy', '-C', cwd, '--url', url], {
        WORKFLOW_COMPUTE_API_KEY: apiKey,
      });
      deploying.stdin.end();
      await firstDocument(deploying);
    },
    async stop() {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * @param {TestWorkerOptions} options
 * @param {string[]} args
 * @param {Record<string, string | undefined>} [variables]
 */
function run(options, args, variables = {}) {
  const command = options.command ?? process.env.STUDIO_COMMAND ?? 'studio';
  return spawn(command, [...args, '--json'], {
    // A worker of the tests has no environment but the default one.
    env: { ...process.env, WORKFLOW_COMPUTE_ENVIRONMENT: '', ...variables },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/**
 * Returns the document that a command prints; rejects with the error that it
 * tells instead.
 *
 * @param {import('node:child_process').ChildProcessWithoutNullStreams} child
 * @returns {Promise<any>}
 */
function firstDocument(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    let problems = '';
    // The command may end before it reads what it was given.
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text) => {
      problems = (problems + text).slice(-KEPT);
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      const document = parsed(output);
      if (document?.ok) {
        resolve(document);
      } else if (document) {
        const { message, hint } = document.error;
        child.stdin.end();
        reject(failure(hint ? `${message}\n${hint}` : message));
      }
    });
    child.once('error', (error) => reject(notStarted(child, error)));
    child.once('close', (status) =>
      reject(failure(`It ended with status ${status}.\n${problems || output}`)),
    );
  });
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // there is more to come
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Error} error
 */
function notStarted(child, error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT'
    ? failure(
        `There is no command ${child.spawnfile}. Run: ${INSTALL}\nSTUDIO_COMMAND names one that is not on PATH.`,
      )
    : failure(error.message);
}

/**
 * @param {string} problem
 */
function failure(problem) {
  return Object.assign(
    new Error(`Workflow Studio: the worker of the tests failed. ${problem}`),
    { code: 'test_worker_failed' },
  );
}

module.exports = { startTestWorker };
