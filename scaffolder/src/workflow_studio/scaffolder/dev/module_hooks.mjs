/*
 * Puts other modules in front of those that the Workflow SDK's builders import. Node.js runs the hooks in a thread of
 * their own, so what they serve finds the real objects again in this process, under `REPLACEMENTS`.
 */

import * as nodeModule from 'node:module';

const SCHEME = 'workflow-studio:';

/** Where the replacements are, in the process that imports them. */
export const REPLACEMENTS = 'workflow-studio:replacements';

/** @typedef {{ importers: string, names: Record<string, string[]> }} Wanted */

/** @type {Wanted} */
let wanted = { importers: '', names: {} };

/**
 * Replace modules for every importer below a folder.
 *
 * @param {string} importers The folder, as a file URL that ends with a slash.
 * @param {Record<string, any>} replacements Module by the name it is imported with.
 */
export function replaceModules(importers, replacements) {
  if (typeof nodeModule.register !== 'function') {
    throw new Error('Node.js 20.6 or later is needed to keep it in a process');
  }
  /** @type {any} */ (globalThis)[Symbol.for(REPLACEMENTS)] = replacements;
  /** @type {Record<string, string[]>} */
  const names = {};
  for (const [specifier, module] of Object.entries(replacements)) {
    names[specifier] = Object.keys(module).filter(
      (name) => name !== 'default' && /^[A-Za-z_$][\w$]*$/.test(name),
    );
  }
  nodeModule.register(import.meta.url, { data: { importers, names } });
}

/** @param {Wanted} data */
export function initialize(data) {
  wanted = data;
}

/**
 * @param {string} specifier
 * @param {{ parentURL?: string }} context
 * @param {Function} next
 */
export function resolve(specifier, context, next) {
  if (
    Object.hasOwn(wanted.names, specifier) &&
    context.parentURL?.startsWith(wanted.importers)
  ) {
    return { url: SCHEME + specifier, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

/**
 * @param {string} url
 * @param {object} context
 * @param {Function} next
 */
export function load(url, context, next) {
  if (!url.startsWith(SCHEME)) {
    return next(url, context);
  }
  const specifier = url.slice(SCHEME.length);
  const lines = (wanted.names[specifier] ?? []).map(
    (name) => `export const ${name} = replaced.${name};`,
  );
  const found = `globalThis[Symbol.for('${REPLACEMENTS}')]['${specifier}']`;
  const source = `const replaced = ${found};\nexport default replaced;\n${lines.join('\n')}\n`;
  return { format: 'module', source, shortCircuit: true };
}
