// Builds what answers the SDK's routes: `node workflow-studio/loader/build.mjs` in
// the app's folder, and by itself in development.
import { realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { importOfSdk } from './packages.mjs';

/** Below the app. The SDK itself looks for no sources here. */
const FOLDER = '.well-known/workflow/handlers';
/** At the top of the app: what others made of its sources, and Studio's own. */
const NO_SOURCES = new Set(['build', 'coverage', 'dist', 'out']);
const FILE = fileURLToPath(import.meta.url);
const PACKAGE = path.dirname(path.dirname(FILE));

/**
 * @typedef {object} HandlerFiles
 * @property {string} flow
 * @property {string} step
 * @property {string} manifest
 */
/** @typedef {new (config: any) => any} BuilderClass */
/**
 * @typedef {object} Builder
 * @property {() => Promise<string[]>} sources The files that are looked at.
 * @property {() => Promise<void>} build
 */

/**
 * @param {string} root The app's folder.
 * @returns {HandlerFiles}
 */
export function handlerFiles(root) {
  const folder = path.join(root, FOLDER);
  return {
    flow: path.join(folder, 'flow.mjs'),
    step: path.join(folder, 'step.mjs'),
    manifest: path.join(folder, 'manifest.json'),
  };
}

/**
 * @param {string} root The app's folder.
 * @returns {Promise<Builder>}
 */
export async function createBuilder(root) {
  const builders = await importOfSdk(
    root,
    '@workflow/rollup',
    '@workflow/builders',
  );
  const Base = /** @type {BuilderClass} */ (builders.BaseBuilder);

  class HandlerBuilder extends Base {
    async getInputFiles() {
      /** @type {string[]} */
      const found = await super.getInputFiles();
      return found.filter((file) => isSource(root, file));
    }

    async build() {
      await buildHandlers(this, handlerFiles(root));
    }
  }

  const builder = new HandlerBuilder({
    ...builders.createBaseBuilderConfig({
      dirs: ['.'],
      workingDir: root,
      projectRoot: root,
    }),
    buildTarget: 'standalone',
    suppressCreateManifestLogs: true,
  });
  return {
    sources: () => builder.getInputFiles(),
    build: () => builder.build(),
  };
}

/**
 * @param {any} builder
 * @param {HandlerFiles} files
 */
async function buildHandlers(builder, files) {
  const inputFiles = await builder.getInputFiles();
  const format = 'esm';
  await mkdir(path.dirname(files.flow), { recursive: true });
  const flow = await builder.createWorkflowsBundle({
    outfile: files.flow,
    bundleFinalOutput: false,
    format,
    inputFiles,
  });
  // Steps share the modules that they import with the rest of the app: one pool
  // of connections, not two.
  const step = await builder.createStepsBundle({
    outfile: files.step,
    externalizeNonSteps: true,
    format,
    inputFiles,
  });
  await Promise.all([
    flow.interimBundleCtx?.dispose(),
    step.context?.dispose(),
  ]);
  await builder.createManifest({
    workflowBundlePath: files.flow,
    manifestDir: path.dirname(files.manifest),
    manifest: merged(flow.manifest, step.manifest),
  });
}

/**
 * @param {string} root
 * @param {string} file
 * @returns {boolean}
 */
function isSource(root, file) {
  const [top] = path.relative(root, file).split(path.sep);
  const inPackage = path.relative(PACKAGE, file);
  return (
    !NO_SOURCES.has(top) &&
    (inPackage.startsWith('..') || path.isAbsolute(inPackage))
  );
}

/**
 * @param {Record<string, any>} flow
 * @param {Record<string, any>} step
 */
function merged(flow, step) {
  return {
    steps: { ...step.steps, ...flow.steps },
    workflows: { ...step.workflows, ...flow.workflows },
    classes: { ...step.classes, ...flow.classes },
  };
}

if (process.argv[1] && realpathSync(process.argv[1]) === FILE) {
  try {
    const { build } = await createBuilder(process.cwd());
    await build();
    console.log(`Built the handlers of the workflows in ${FOLDER}.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
