'use strict';

/*
 * Usage: node bundle.cjs <app folder> <folder of the SDK's output> <folder of esbuild> <webhook bundle to write>
 *
 * Checks that the SDK's bundles are CommonJS that compiles, and bundles its webhook handler, which the SDK leaves
 * with an import of `workflow/api`. Prints {"problems": string[]} as JSON. Nothing of the app is run.
 */

const { readFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

// The same stand-ins for `import.meta` that the SDK's own CommonJS bundles use.
const IMPORT_META_URL =
  "var __import_meta_url = require('url').pathToFileURL(__filename).href;";

/**
 * @param {string} path
 * @param {string} name
 * @returns {string | undefined} What is wrong with the bundle.
 */
function problemOf(path, name) {
  const code = readFileSync(path, 'utf8');
  try {
    new Script(wrap(code), { filename: name });
  } catch (error) {
    return `${name} is not CommonJS that compiles: ${/** @type {Error} */ (error).message}`;
  }
  if (!/\bexports\b/.test(code) || !/\bPOST\b/.test(code)) {
    return `${name} does not export POST`;
  }
  return undefined;
}

/**
 * @param {string} appDir
 * @param {string} bundleDir
 * @param {any} esbuild The SDK's own bundler.
 * @param {string} outfile
 * @returns {Promise<void>}
 */
async function bundleWebhook(appDir, bundleDir, esbuild, outfile) {
  await esbuild.build({
    absWorkingDir: appDir,
    banner: { js: IMPORT_META_URL },
    bundle: true,
    define: { 'import.meta.url': '__import_meta_url' },
    format: 'cjs',
    keepNames: true,
    logLevel: 'silent',
    outfile,
    platform: 'node',
    // The bundle names its source, which must not depend on where the SDK's output was put.
    stdin: {
      contents: readFileSync(join(bundleDir, 'webhook.js'), 'utf8'),
      loader: 'js',
      resolveDir: appDir,
      sourcefile: '.well-known/workflow/v1/webhook.js',
    },
    target: 'es2022',
    write: true,
  });
}

/**
 * @param {string} appDir
 * @param {string} bundleDir
 * @param {string} esbuildDir
 * @param {string} outfile
 * @returns {Promise<string[]>} Problems found.
 */
async function main(appDir, bundleDir, esbuildDir, outfile) {
  const problems = ['flow.js', 'step.js']
    .map((name) => problemOf(join(bundleDir, name), name))
    .filter((problem) => problem !== undefined);
  if (problems.length === 0) {
    await bundleWebhook(appDir, bundleDir, require(esbuildDir), outfile);
  }
  return problems;
}

if (require.main === module) {
  const [appDir, bundleDir, esbuildDir, outfile] = process.argv.slice(2);
  main(appDir, bundleDir, esbuildDir, outfile).then(
    (problems) => process.stdout.write(JSON.stringify({ problems })),
    (error) => {
      process.stderr.write(
        `${error instanceof Error ? error.message : error}\n`,
      );
      process.exitCode = 1;
    },
  );
}

module.exports = { bundleWebhook, problemOf };
