/*
 * Has the builders of the Workflow SDK make the source maps of `source_maps.mjs`. Node.js loads this before
 * `workflow build`, and once more in the thread of its hooks.
 */

import * as nodeModule from 'node:module';

const BUILDERS = '/node_modules/@workflow/builders/';
const SCHEME = 'workflow-studio:';
const HOOKS = '#hooks';

/**
 * What is done to the packages that the builders import: a function of `source_maps.mjs`, and what it changes.
 *
 * @type {Record<string, { change: string, names: string[] }>}
 */
const CHANGED = {
  '@swc/core': { change: 'withSourceMaps', names: ['transform'] },
  esbuild: { change: 'withoutSources', names: ['build', 'context'] },
};

if (!import.meta.url.endsWith(HOOKS)) {
  // Without it, as before Node.js 20.6, the build is as good, and positions are those of the SDK's maps.
  nodeModule.register?.(import.meta.url + HOOKS);
}

/**
 * @param {string} specifier
 * @param {{ parentURL?: string }} context
 * @param {Function} next
 */
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const isOurs =
    Object.hasOwn(CHANGED, specifier) && context.parentURL?.includes(BUILDERS);
  if (!isOurs) {
    return found;
  }
  const url = `${SCHEME}${specifier} ${found.url}`;
  return { url, format: 'module', shortCircuit: true };
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
  const [specifier, real] = url.slice(SCHEME.length).split(' ');
  const { change, names } = CHANGED[specifier];
  const maps = new URL('source_maps.mjs', import.meta.url).href;
  const source = `import * as named from ${JSON.stringify(real)};
import { ${change} } from ${JSON.stringify(maps)};
const changed = ${change}(named.default ?? named);
export * from ${JSON.stringify(real)};
export const { ${names.join(', ')} } = changed;
export default changed;
`;
  return { format: 'module', source, shortCircuit: true };
}
