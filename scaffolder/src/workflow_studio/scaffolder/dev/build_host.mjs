/*
 * Usage: node build_host.mjs <settings as JSON>
 *
 * Builds an app's workflows with the app's own Workflow SDK, again and again. One JSON object a line: the first line
 * out says that the host is ready, or why this SDK cannot be built this way; then one line out answers each line in.
 * It ends when its standard input does.
 */

import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';

import { withSourceMaps, withoutSources } from '../build/source_maps.mjs';
import { Incremental, codeLiteral } from './incremental.mjs';
import { replaceModules } from './module_hooks.mjs';
import { stampOf } from './plugins.mjs';
import { problemsOf } from './problems.mjs';

/**
 * @typedef {object} Settings
 * @property {string} appDir The app's folder, links resolved.
 * @property {string} outDir Where to write, relative to the app.
 * @property {string} buildersDir The package `@workflow/builders`.
 * @property {string} swcDir The package `@swc/core` it uses.
 * @property {string} esbuildDir The package `esbuild` it uses.
 * @property {string} bundleScript Our script that checks bundles and makes the webhook's.
 *
 * @typedef {{ path: string, modified: boolean }} Change
 */

const SOURCE_MAPS = /\/\/# sourceMappingURL=\S+/g;

/** @type {Settings} */
const settings = JSON.parse(process.argv[2] ?? '{}');
const { appDir } = settings;
const outDir = join(appDir, settings.outDir);
const stateDir = join(appDir, '.workflow-studio/');
const require = createRequire(import.meta.url);
const send = process.stdout.write.bind(process.stdout);
/** @type {string[]} */
let printed = [];
/** @type {{ purge(): void }[]} */
const resolverCaches = [];

/** @param {object} message */
function tell(message) {
  send(`${JSON.stringify(message)}\n`);
}

/** Keep what the SDK prints out of the protocol. */
function capturePrints() {
  const keep = (/** @type {any[]} */ ...values) =>
    void printed.push(format(...values));
  Object.assign(console, {
    debug: keep,
    error: keep,
    info: keep,
    log: keep,
    warn: keep,
  });
  /** @type {any} */
  const write = (/** @type {any} */ chunk) =>
    printed.push(String(chunk).trimEnd()) > 0;
  process.stdout.write = write;
  process.stderr.write = write;
}

/**
 * The SDK's resolver remembers for seconds which files there are, which is longer than a developer takes to add one.
 * It has no way in, so its cache is caught where it is made.
 *
 * @param {NodeJS.Require} fromBuilders
 */
function catchResolverCaches(fromBuilders) {
  const path = fromBuilders.resolve(
    'enhanced-resolve/lib/CachedInputFileSystem',
  );
  const Cache = fromBuilders(path);
  const loaded = fromBuilders.cache[path];
  if (loaded === undefined || typeof Cache.prototype?.purge !== 'function') {
    throw new Error('the cache of enhanced-resolve is not where it was');
  }
  loaded.exports = class extends Cache {
    /** @param {any[]} args */
    constructor(...args) {
      super(...args);
      resolverCaches.push(/** @type {any} */ (this));
    }
  };
}

/**
 * @param {any} Builder The SDK's StandaloneBuilder.
 * @param {any} sdk The SDK's builders.
 * @param {Incremental} incremental
 */
function makeBuilder(Builder, sdk, incremental) {
  class WarmBuilder extends Builder {
    /** @type {string[] | undefined} */
    files = undefined;
    /** @type {Map<string, string>} */
    signatures = new Map();
    /** @type {{ key: string, text: string | undefined }} */
    described = { key: '', text: undefined };

    // The app's .gitignore is not ours to edit while its developer works; the folder itself says enough.
    async ensureSwcIgnored() {
      await this.createSwcDirectoryGitignore?.();
    }

    // One array stands for one discovery, which the SDK keeps by it.
    async getInputFiles() {
      if (this.files === undefined) {
        const started = performance.now();
        const files = await super.getInputFiles();
        // Nothing of the app is in there, but the artifacts of a worker may be, and they are large.
        this.files = files.filter(
          (/** @type {string} */ path) => !path.startsWith(stateDir),
        );
        incremental.phases.files = (performance.now() - started) / 1000;
      }
      return this.files;
    }

    /** @param {any[]} args */
    async discoverEntries(...args) {
      const started = performance.now();
      const found = await super.discoverEntries(...args);
      incremental.phases.discovery ??= (performance.now() - started) / 1000;
      return found;
    }

    /** @param {any} args */
    async createManifest(args) {
      const started = performance.now();
      const bundle = await readFile(args.workflowBundlePath, 'utf8');
      // The graphs come from the workflows' code alone, which is a small part of the bundle.
      const literal = codeLiteral(bundle);
      const code =
        literal &&
        `var workflowCode = ${bundle.slice(literal.start, literal.end)};\n`;
      const key = createHash('sha256')
        .update(JSON.stringify(args.manifest))
        .update((code ?? bundle).replace(SOURCE_MAPS, ''))
        .digest('base64');
      if (this.described.key !== key || this.described.text === undefined) {
        const workflowBundlePath =
          code === undefined
            ? args.workflowBundlePath
            : join(outDir, 'workflows.js');
        if (code !== undefined) {
          await writeFile(workflowBundlePath, code);
        }
        const text = await super.createManifest({
          ...args,
          manifestDir: outDir,
          workflowBundlePath,
        });
        if (text === undefined) {
          throw new Error('The Workflow SDK could not describe the workflows.');
        }
        this.described = { key, text };
      }
      incremental.phases.manifest = (performance.now() - started) / 1000;
      return this.described.text;
    }

    /**
     * Decide whether what was discovered still holds, and forget it if not.
     *
     * @param {Change[] | null} changes
     */
    async prepare(changes) {
      let kept = changes !== null && this.files !== undefined;
      for (const { path, modified } of changes ?? []) {
        const now = await signatureOf(path, sdk.detectWorkflowPatterns);
        kept &&= modified && this.signatures.get(path) === now;
        this.signatures.set(path, now);
      }
      if (!kept) {
        this.files = undefined;
        this.clearDiscoveredEntriesCache();
        sdk.clearModuleSpecifierCache();
      }
    }
  }
  const file = (/** @type {string} */ name) => `./${settings.outDir}/${name}`;
  const Made = /** @type {any} */ (WarmBuilder);
  return new Made({
    buildTarget: 'standalone',
    dirs: ['./workflows'],
    stepsBundlePath: file('step.js'),
    webhookBundlePath: file('webhook.js'),
    workflowManifestPath: '',
    workflowsBundlePath: file('flow.js'),
    workingDir: appDir,
  });
}

/**
 * Everything in a file that the SDK's discovery looks at: directives, imports and, for classes, all of it.
 *
 * @param {string} path
 * @param {(source: string) => object} detect
 */
async function signatureOf(path, detect) {
  const source = await readFile(path, 'utf8').catch(() => undefined);
  if (source === undefined) {
    return '';
  }
  const mayServe =
    source.includes('static') && source.includes('[') ? source : '';
  const specifiers =
    source.match(/\b(?:from|import|require)\b[\s(]*(['"])[^'"]*\1/g) ?? [];
  return JSON.stringify([detect(source), specifiers.sort(), mayServe]);
}

/**
 * @param {any} sdk
 * @param {any} Builder
 */
function checkSdk(sdk, Builder) {
  const methods = [
    'build',
    'createManifest',
    'discoverEntries',
    'getInputFiles',
    'clearDiscoveredEntriesCache',
  ];
  for (const name of [...methods, 'ensureSwcIgnored', 'findTsConfigPath']) {
    if (typeof Builder?.prototype[name] !== 'function') {
      throw new Error(`its StandaloneBuilder has no ${name}()`);
    }
  }
  for (const name of ['clearModuleSpecifierCache', 'detectWorkflowPatterns']) {
    if (typeof sdk[name] !== 'function') {
      throw new Error(`it has no ${name}()`);
    }
  }
}

async function start() {
  const fromBuilders = createRequire(
    join(settings.buildersDir, 'package.json'),
  );
  catchResolverCaches(fromBuilders);
  const esbuild = withoutSources(require(settings.esbuildDir));
  const swc = withSourceMaps(require(settings.swcDir));
  const incremental = new Incremental(esbuild, swc, appDir);
  replaceModules(`${pathToFileURL(settings.buildersDir).href}/`, {
    '@swc/core': incremental.swc,
    esbuild: incremental.esbuild,
  });
  const sdk = await import(
    pathToFileURL(fromBuilders.resolve('@workflow/builders')).href
  );
  checkSdk(sdk, sdk.StandaloneBuilder);
  await mkdir(outDir, { recursive: true });
  return {
    builder: makeBuilder(sdk.StandaloneBuilder, sdk, incremental),
    esbuild,
    incremental,
  };
}

/** Stamps of the bundles that were found good, and the handler that was bundled. @type {Map<string, string>} */
const checked = new Map();

/**
 * Check the bundles that are new, and bundle the webhook handler if it is.
 *
 * @param {any} esbuild
 */
async function finishBundles(esbuild) {
  const { bundleWebhook, problemOf } = require(settings.bundleScript);
  for (const name of ['flow.js', 'step.js']) {
    const path = join(outDir, name);
    const stamp = stampOf(path);
    if (checked.get(name) !== stamp) {
      const problem = problemOf(path, name);
      if (problem !== undefined) {
        throw new Error(
          `What the Workflow SDK made is not usable: ${problem}.`,
        );
      }
      checked.set(name, stamp);
    }
  }
  const handler = await readFile(join(outDir, 'webhook.js'), 'utf8');
  if (checked.get('webhook.js') !== handler) {
    await bundleWebhook(
      appDir,
      outDir,
      esbuild,
      join(outDir, 'webhook.bundle.js'),
    );
    checked.set('webhook.js', handler);
  }
}

/**
 * @param {Awaited<ReturnType<typeof start>>} host
 * @param {{ changes: Change[] | null }} request
 */
async function build({ builder, esbuild, incremental }, { changes }) {
  printed = [];
  const started = performance.now();
  try {
    // Files that came or went may lead imports elsewhere.
    const fresh = changes === null || changes.some(({ modified }) => !modified);
    resolverCaches.forEach((cache) => cache.purge());
    incremental.begin(fresh);
    await builder.prepare(fresh ? null : changes);
    await builder.build();
    const building = performance.now();
    await finishBundles(esbuild);
    await incremental.finish();
    incremental.phases.check = (performance.now() - building) / 1000;
    incremental.phases.sdk = (building - started) / 1000;
    const configs = await configFiles(await builder.findTsConfigPath());
    const inputs = incremental.inputs();
    return {
      ok: true,
      configs,
      inputs,
      output: printed.join('\n'),
      phases: incremental.phases,
    };
  } catch (error) {
    return {
      ok: false,
      output: printed.join('\n'),
      problems: problemsOf(error, appDir),
    };
  }
}

/**
 * @param {string | undefined} path A tsconfig.json.
 * @returns {Promise<string[]>} It and the files it extends, as far as they are named by paths.
 */
async function configFiles(path) {
  const found = new Set();
  const queue = path === undefined ? [] : [path];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const file = await realpath(next).catch(() => undefined);
    if (file === undefined || found.has(file)) {
      continue;
    }
    found.add(file);
    const text = await readFile(file, 'utf8').catch(() => '');
    // The names are all that is wanted, so comments and trailing commas need no parser.
    for (const [, list] of text.matchAll(
      /"extends"\s*:\s*(\[[^\]]*\]|"[^"]*")/g,
    )) {
      for (const [, name] of (list ?? '').matchAll(/"([^"]*)"/g)) {
        if (name && (name.startsWith('.') || isAbsolute(name))) {
          const target = resolve(dirname(file), name);
          queue.push(extname(target) === '.json' ? target : `${target}.json`);
        }
      }
    }
  }
  return [...found];
}

async function main() {
  capturePrints();
  const host = await start();
  tell({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    tell({ id: request.id, ...(await build(host, request)) });
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    tell({
      ready: false,
      reason: error instanceof Error ? error.message : String(error),
      output: printed.join('\n'),
    });
    process.exit(1);
  },
);
