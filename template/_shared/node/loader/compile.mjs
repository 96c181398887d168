// Compiles files of the app for the app's own process.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { importOfSdk } from './packages.mjs';

const TYPESCRIPT = /\.(?:[mc]?ts|tsx)$/;
const JSX = /\.[jt]sx$/;

/**
 * @typedef {object} Compiler
 * @property {(code: string, file: string) => Promise<string | undefined>} compile
 *   Returns nothing for what Node.js can load as it is.
 * @property {(specifier: string) => string | undefined} mapped What tsconfig.json
 *   says that a specifier means.
 */

/**
 * @param {string} root The app's folder; the ids of workflows are relative to it.
 * @returns {Promise<Compiler>}
 */
export async function createCompiler(root) {
  const [rollup, swc, json5] = await Promise.all([
    importOfSdk(root, '@workflow/rollup'),
    importOfSdk(root, '@workflow/rollup', '@swc/core'),
    importOfSdk(root, '@workflow/rollup', '@workflow/builders', 'json5'),
  ]);
  const plugin = rollup.workflowTransformPlugin();
  const options = readOptions(root, json5.default ?? json5);
  return {
    mapped: createMapping(root, options),
    async compile(code, file) {
      const forSdk = await plugin.transform(code, file);
      if (forSdk) {
        return withMap(forSdk.code, forSdk.map);
      }
      if (!TYPESCRIPT.test(file) && !JSX.test(file)) {
        return undefined;
      }
      const made = await swc.transform(code, swcOptions(file, options));
      return withMap(made.code, made.map);
    },
  };
}

/**
 * @param {string} file
 * @param {Record<string, any>} options
 */
function swcOptions(file, options) {
  const syntax = TYPESCRIPT.test(file) ? 'typescript' : 'ecmascript';
  const jsx = JSX.test(file);
  return {
    filename: file,
    swcrc: false,
    configFile: false,
    sourceMaps: true,
    jsc: {
      target: 'es2022',
      experimental: { keepImportAttributes: true },
      parser: {
        syntax,
        [syntax === 'typescript' ? 'tsx' : 'jsx']: jsx,
        decorators: true,
      },
      transform: {
        legacyDecorator: options.experimentalDecorators === true,
        decoratorMetadata: options.emitDecoratorMetadata === true,
        verbatimModuleSyntax: options.verbatimModuleSyntax === true,
        react: {
          runtime: 'automatic',
          importSource: options.jsxImportSource ?? 'react',
        },
      },
    },
    module: file.endsWith('.cts') ? { type: 'commonjs' } : { type: 'es6' },
  };
}

/**
 * @param {string} code
 * @param {any} map A source map, as text or as an object.
 * @returns {string}
 */
function withMap(code, map) {
  if (!map) {
    return code;
  }
  const text = typeof map === 'string' ? map : JSON.stringify(map);
  const data = Buffer.from(text).toString('base64');
  return `${code}\n//# sourceMappingURL=data:application/json;base64,${data}\n`;
}

/**
 * @param {string} root
 * @param {any} json5
 * @returns {Record<string, any>} The compiler's options of tsconfig.json.
 */
function readOptions(root, json5) {
  for (const name of ['tsconfig.json', 'jsconfig.json']) {
    try {
      const text = readFileSync(path.join(root, name), 'utf8');
      return json5.parse(text).compilerOptions ?? {};
    } catch {
      // Without one that can be read, the defaults hold.
    }
  }
  return {};
}

/**
 * @param {string} root
 * @param {Record<string, any>} options
 * @returns {(specifier: string) => string | undefined}
 */
function createMapping(root, { baseUrl = '.', paths = {} }) {
  const rules = Object.entries(paths).map(([pattern, targets]) => {
    const [start, end] = pattern.split('*');
    return { pattern, start, end, target: /** @type {any} */ (targets)[0] };
  });
  return (specifier) => {
    for (const { pattern, start, end, target } of rules) {
      const matches =
        end === undefined
          ? specifier === pattern
          : specifier.length >= start.length + end.length &&
            specifier.startsWith(start) &&
            specifier.endsWith(end);
      if (matches) {
        const part = specifier.slice(
          start.length,
          specifier.length - (end ?? '').length,
        );
        const file = path.resolve(root, baseUrl, target.replace('*', part));
        return pathToFileURL(file).href;
      }
    }
    return undefined;
  };
}
