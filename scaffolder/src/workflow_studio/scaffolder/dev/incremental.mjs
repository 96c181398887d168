/*
 * esbuild and SWC as the Workflow SDK's builders see them, remembering what they made. Everything kept is kept by
 * exactly what it was made from, so a build comes out byte for byte as a first one would.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { NODE_MODULES, attach, collect, isLoadedSame } from './plugins.mjs';

const SWC_ENTRIES = 20_000;

/** @typedef {import('./plugins.mjs').Slot} Slot */

export class Incremental {
  /** @type {Map<string, Slot>} */
  #slots = new Map();
  /** @type {Map<string, any>} */
  #transformed = new Map();
  /** @type {Map<string, { output: string, start: number, end: number }>} */
  #frames = new Map();
  /** @type {Map<string, string>} */
  #finals = new Map();
  #build = 0;
  #fresh = true;
  #finished = false;

  /**
   * @param {any} esbuild
   * @param {any} swc
   * @param {string} appDir
   */
  constructor(esbuild, swc, appDir) {
    this.real = { esbuild, swc };
    this.appDir = appDir;
    this.esbuild = {
      ...esbuild,
      context: (/** @type {any} */ options) => this.#context(options),
      build: (/** @type {any} */ options) => this.#final(options),
    };
    this.swc = {
      ...swc,
      transform: (/** @type {string} */ source, /** @type {any} */ options) =>
        this.#transform(source, options),
    };
    /** @type {Record<string, number>} */
    this.phases = {};
  }

  /**
   * Begin a build.
   *
   * @param {boolean} fresh Whether files may have come or gone, so that imports may lead elsewhere.
   */
  begin(fresh) {
    this.#build += 1;
    // A build that broke off did not get to look at everything.
    this.#fresh = fresh || !this.#finished;
    this.#finished = false;
    this.phases = {};
  }

  /** End a good build: let go of what it had no use for. */
  async finish() {
    this.#finished = true;
    for (const [key, slot] of this.#slots) {
      if (slot.used !== this.#build) {
        this.#slots.delete(key);
        await slot.context.dispose();
      }
    }
  }

  /** @returns {string[]} The files outside of packages that went into the last build, absolute. */
  inputs() {
    const found = new Set();
    for (const slot of this.#slots.values()) {
      for (const path of localInputs(slot.last, this.appDir)) {
        found.add(path);
      }
    }
    return [...found];
  }

  async dispose() {
    await Promise.all(
      [...this.#slots.values()].map((s) => s.context.dispose()),
    );
  }

  /**
   * @param {string} source
   * @param {any} options
   */
  async #transform(source, options) {
    const key = createHash('sha256')
      .update(JSON.stringify(options))
      .update('\0')
      .update(source)
      .digest('base64');
    const known = this.#transformed.get(key);
    if (known !== undefined) {
      return known;
    }
    const made = await this.real.swc.transform(source, options);
    if (this.#transformed.size >= SWC_ENTRIES) {
      this.#transformed.clear();
    }
    this.#transformed.set(key, made);
    return made;
  }

  /** @param {any} options */
  async #context(options) {
    const { plugins = [], ...rest } = options;
    const key = JSON.stringify(rest);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = await this.#open(rest, plugins);
      this.#slots.set(key, slot);
    } else {
      const { builds } = slot;
      slot.plugins = plugins.map(
        (/** @type {any} */ plugin, /** @type {number} */ at) =>
          collect(plugin, builds[at]),
      );
    }
    const kept = slot;
    kept.used = this.#build;
    return { rebuild: () => this.#rebuild(kept, options), dispose: () => {} };
  }

  /**
   * @param {any} options
   * @param {any[]} plugins
   * @returns {Promise<Slot>}
   */
  async #open(options, plugins) {
    /** @type {Slot} */
    const slot = {
      context: undefined,
      builds: [],
      plugins: [],
      loaded: new Map(),
      before: new Map(),
      answers: new Map(),
      others: new Map(),
      last: undefined,
      used: 0,
    };
    slot.context = await this.real.esbuild.context({
      ...options,
      metafile: true,
      plugins: plugins.map((plugin, at) => ({
        name: plugin.name,
        setup: (/** @type {any} */ build) => attach(slot, plugin, at, build),
      })),
    });
    return slot;
  }

  /**
   * @param {Slot} slot
   * @param {any} options
   */
  async #rebuild(slot, options) {
    const started = performance.now();
    const phase = options.write === false ? 'workflows' : 'steps';
    try {
      const there = options.write === false || existsSync(options.outfile);
      if (!this.#fresh && there && (await this.#isCurrent(slot))) {
        return slot.last;
      }
      if (this.#fresh) {
        slot.answers.clear();
      }
      slot.last = undefined;
      slot.before = new Map([...slot.before, ...slot.loaded]);
      slot.loaded = new Map();
      slot.last = await slot.context.rebuild();
      slot.before.clear();
      slot.others = new Map(
        localInputs(slot.last, this.appDir)
          .filter((path) => !slot.loaded.has(path))
          .map((path) => [path, digestOf(path)]),
      );
      return slot.last;
    } finally {
      this.phases[phase] = (performance.now() - started) / 1000;
    }
  }

  /**
   * Tell whether every file of the last build is as it was, running the plugins of this call on those that may not be
   * and on those whose ids the SDK collects.
   *
   * @param {Slot} slot
   */
  async #isCurrent(slot) {
    if (slot.last === undefined) {
      return false;
    }
    const same = await Promise.all([
      ...[...slot.loaded.values()].map((entry) => isLoadedSame(slot, entry)),
      ...[...slot.others].map(([path, digest]) => digestOf(path) === digest),
    ]);
    return same.every(Boolean);
  }

  /**
   * Bundle the file that carries the workflows' code. Only that code differs from build to build, as one literal, so
   * the rest is made once.
   *
   * @param {any} options
   */
  async #final(options) {
    const started = performance.now();
    const source = options.stdin?.contents;
    const literal =
      typeof source === 'string' && !options.plugins
        ? codeLiteral(source)
        : undefined;
    if (literal === undefined) {
      return this.real.esbuild.build(options);
    }
    try {
      const around = source.slice(0, literal.start) + source.slice(literal.end);
      const key = JSON.stringify({
        ...options,
        stdin: { ...options.stdin, contents: around },
      });
      const code = source.slice(literal.start, literal.end);
      if (this.#finals.get(key) === code && existsSync(options.outfile)) {
        return { errors: [], warnings: [] };
      }
      this.#finals.delete(key);
      const frame = this.#frames.get(key);
      const printed = await this.#printed(code, options);
      if (frame !== undefined && printed !== undefined) {
        const output =
          frame.output.slice(0, frame.start) +
          printed +
          frame.output.slice(frame.end);
        await writeFile(options.outfile, output);
        this.#finals.set(key, code);
        return { errors: [], warnings: [] };
      }
      const result = await this.real.esbuild.build(options);
      const output = await readFile(options.outfile, 'utf8');
      const found = codeLiteral(output);
      if (
        found !== undefined &&
        output.slice(found.start, found.end) === printed
      ) {
        this.#frames.clear();
        this.#frames.set(key, { output, ...found });
        this.#finals.set(key, code);
      }
      return result;
    } finally {
      this.phases.final = (performance.now() - started) / 1000;
    }
  }

  /**
   * @param {string} code A template literal.
   * @param {any} options
   * @returns {Promise<string | undefined>} The literal as esbuild prints it.
   */
  async #printed(code, options) {
    const { charset, target } = options;
    const made = await this.real.esbuild.transform(
      `var workflowCode = ${code};`,
      {
        ...(charset && { charset }),
        target,
      },
    );
    const found = codeLiteral(`\n${made.code}`);
    return found && `\n${made.code}`.slice(found.start, found.end);
  }
}

/**
 * Find the literal with the workflows' code in the SDK's wrapper or in the bundle made of it.
 *
 * @param {string} text
 * @returns {{ start: number, end: number } | undefined} From backtick to backtick; nothing when it is not there once.
 */
export function codeLiteral(text) {
  const opening = /\n(?:const|var) workflowCode = `/g;
  const match = opening.exec(text);
  if (match === null || opening.exec(text) !== null) {
    return undefined;
  }
  const start = match.index + match[0].length - 1;
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') {
      at += 1;
    } else if (text[at] === '`') {
      return { start, end: at + 1 };
    }
  }
  return undefined;
}

/**
 * @param {any} result
 * @param {string} appDir
 * @returns {string[]}
 */
function localInputs(result, appDir) {
  return Object.keys(result?.metafile?.inputs ?? {})
    .map((key) => resolve(appDir, key))
    .filter((path) => !path.includes(NODE_MODULES) && existsSync(path));
}

/** @param {string} path */
function digestOf(path) {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('base64');
  } catch {
    return '';
  }
}
