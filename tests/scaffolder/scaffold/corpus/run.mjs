/**
 * Executes config files and modules with stubs in place of everything they import, and prints what they come to.
 *
 *     node --experimental-vm-modules run.mjs cases.json
 *
 * A case is `{id, path, code, isModule}`. What is printed is, by id and scenario, `{value, calls}` or `{error}`: the
 * default export (functions are called, promises awaited) and the calls of imported functions, both as plain JSON.
 */
import fs from 'node:fs';
import { createRequire, isBuiltin, stripTypeScriptTypes } from 'node:module';
import process from 'node:process';
import vm from 'node:vm';

/** @typedef {{id: string, path: string, code: string, isModule: boolean}} Case */
/** @typedef {{name: string, env: Record<string, string>, args: unknown[]}} Scenario */
/** @typedef {{expression: unknown, callee: string, args: unknown[]}} Inside */

const nodeRequire = createRequire(import.meta.url);
const INSIDE = Symbol('inside');

/** @type {Scenario[]} */
const SCENARIOS = [
  {
    name: 'build',
    env: { NODE_ENV: 'production', CI: 'true', ANALYZE: 'true', VERCEL: '1' },
    args: [
      Object.assign(Object('phase-production-build'), {
        command: 'build',
        mode: 'production',
        isSsrBuild: false,
      }),
      { defaultConfig: { poweredByHeader: true } },
    ],
  },
  {
    name: 'dev',
    env: { NODE_ENV: 'development', DEBUG: '1', DOCKER: '1' },
    args: [
      Object.assign(Object('phase-development-server'), {
        command: 'serve',
        mode: 'development',
        isSsrBuild: false,
      }),
      { defaultConfig: {} },
    ],
  },
];

/**
 * A value that says what was done to it: calling it, reading a property and `new` give more of the kind.
 *
 * @param {Inside} inside
 * @param {unknown[]} calls
 * @returns {any}
 */
function stub(inside, calls) {
  /** @type {Map<PropertyKey, unknown>} */
  const members = new Map();
  const act = (/** @type {string} */ kind, /** @type {unknown[]} */ args) => {
    const expression = { [kind]: inside.expression, args };
    calls.push(expression);
    const special = kind === 'call' ? known(inside.callee, args) : undefined;
    return special ?? stub({ expression, callee: '', args }, calls);
  };
  return new Proxy(function () {}, {
    apply: (_target, _self, args) => act('call', args),
    construct: (_target, args) => act('new', args),
    get: (_target, key) => {
      if (key === INSIDE) return inside;
      if (key === 'then' || key === 'toJSON') return undefined;
      if (key === Symbol.toPrimitive)
        return () => JSON.stringify(inside.callee);
      if (key === Symbol.iterator) return () => [][Symbol.iterator]();
      if (typeof key === 'symbol') return undefined;
      if (!members.has(key)) {
        const callee =
          key === 'default' ? inside.callee : `${inside.callee}.${key}`;
        members.set(key, stub({ expression: callee, callee, args: [] }, calls));
      }
      return members.get(key);
    },
    has: (_target, key) => key === INSIDE,
  });
}

/**
 * What a call that configs rely on returns.
 *
 * @param {string} callee
 * @param {unknown[]} args
 * @returns {unknown}
 */
function known(callee, args) {
  const name = callee.split(/[.#]/).at(-1) ?? '';
  // With an app in place of a config, it returns the app.
  if (
    /^workflow-studio\/(?:express|fastify|hono)#with/.test(callee) &&
    typeof args[0] === 'function'
  ) {
    return args[0];
  }
  if (
    /^(?:workflow\/next#withWorkflow$|workflow-studio\/)/.test(callee) &&
    /^with/.test(name)
  ) {
    return { $wrap: callee, $config: args[0], $rest: args.slice(1) };
  }
  if (/^define([A-Z]|$)/.test(name)) return args[0];
  if (name === 'loadEnv')
    return { VITE_PORT: '4000', API_URL: 'http://localhost:9000' };
  if (name === 'mergeConfig' || name === 'defu')
    return merged(args[0], args[1], name === 'defu');
  if (name === 'globSync') return [];
  return undefined;
}

/**
 * @param {any} left
 * @param {any} right
 * @param {boolean} leftWins
 * @returns {any}
 */
function merged(left, right, leftWins) {
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  if (!isPlain(left) || !isPlain(right))
    return leftWins ? (left ?? right) : (right ?? left);
  const result = { ...left };
  for (const [key, value] of Object.entries(right)) {
    result[key] = key in result ? merged(result[key], value, leftWins) : value;
  }
  return result;
}

/**
 * @param {any} value
 * @returns {boolean}
 */
function isPlain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A value as plain JSON.
 *
 * @param {any} value
 * @param {Scenario} scenario
 * @param {boolean} isConfig Whether functions are configs to be called, not values.
 * @returns {Promise<any>}
 */
async function plain(value, scenario, isConfig) {
  value = await value;
  const inside = typeof value === 'function' ? value[INSIDE] : undefined;
  if (inside !== undefined) return expressionOf(inside.expression, scenario);
  if (typeof value === 'function') {
    return isConfig && !String(value).startsWith('class')
      ? plain(await value(...scenario.args), scenario, true)
      : { $function: String(value).replace(/\s+/g, ' ') };
  }
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'bigint' || typeof value === 'symbol'
      ? String(value)
      : value;
  }
  if (Array.isArray(value))
    return Promise.all(value.map((item) => plain(item, scenario, false)));
  if ('$wrap' in value) {
    return {
      $wrap: value.$wrap,
      $config: await plain(value.$config, scenario, true),
      $rest: await plain(value.$rest, scenario, false),
    };
  }
  const tag = Object.prototype.toString.call(value);
  if (tag !== '[object Object]' && tag !== '[object Module]')
    return { [tag]: String(value) };
  /** @type {Record<string, unknown>} */
  const result = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) result[key] = await plain(item, scenario, false);
  }
  return result;
}

/**
 * @param {any} expression
 * @param {Scenario} scenario
 * @returns {Promise<any>}
 */
async function expressionOf(expression, scenario) {
  if (typeof expression === 'string') return { $import: expression };
  const kind = 'call' in expression ? 'call' : 'new';
  const callee = await expressionOf(expression[kind], scenario);
  // withSentryConfig(config, …) is a config; what else is called is a value.
  const isConfig = /[#.]with[A-Z]/.test(
    JSON.stringify(callee.$import ?? callee),
  );
  const args = await Promise.all(
    expression.args.map((/** @type {unknown} */ item) =>
      plain(item, scenario, isConfig),
    ),
  );
  return { [`$${kind}`]: callee, args };
}

const GLOBALS = [
  'defineNuxtConfig',
  'defineNitroConfig',
  'defineConfig',
  'defineRouteRules',
  '__VERSION__',
];

/**
 * @param {Case} file
 * @param {Scenario} scenario
 * @returns {Promise<unknown>}
 */
async function execute(file, scenario) {
  /** @type {unknown[]} */
  const calls = [];
  const code = /\.[cm]?ts$/.test(file.path)
    ? stripTypeScriptTypes(
        file.code,
        /** @type {any} */ ({ mode: 'transform' }),
      )
    : file.code;
  const context = vm.createContext({
    console: { log() {}, warn() {}, error() {}, info() {} },
    process: {
      env: { ...scenario.env },
      argv: ['node', 'tool'],
      cwd: () => '/app',
      platform: 'linux',
      version: 'v24.0.0',
      versions: { node: '24.0.0' },
      on() {},
      exit() {},
    },
    URL,
    URLSearchParams,
    Buffer,
    setTimeout,
    structuredClone,
    __dirname: '/app',
    __filename: `/app/${file.path}`,
    ...Object.fromEntries(
      GLOBALS.map((name) => [
        name,
        stub({ expression: `#${name}`, callee: `#${name}`, args: [] }, calls),
      ]),
    ),
  });
  /** @type {Map<string, any>} */
  const modules = new Map();
  const load = (/** @type {string} */ specifier) => {
    if (isBuiltin(specifier)) return nodeRequire(specifier);
    if (!modules.has(specifier)) {
      modules.set(
        specifier,
        specifier.endsWith('.json')
          ? { version: '1.2.3' }
          : package_(specifier, calls),
      );
    }
    return modules.get(specifier);
  };
  const exported = file.isModule
    ? await asModule(file, code, context, load)
    : asScript(file, code, context, load);
  const value = await plain(exported, scenario, true);
  for (let turn = 0; turn < 5; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  const made = await Promise.all(
    calls.map((call) => expressionOf(call, scenario)),
  );
  return { value: value ?? null, calls: made };
}

/**
 * @param {string} specifier
 * @param {unknown[]} calls
 * @returns {any}
 */
function package_(specifier, calls) {
  const whole = stub(
    { expression: specifier, callee: specifier, args: [] },
    calls,
  );
  /** @type {Map<PropertyKey, unknown>} */
  const exports = new Map();
  return new Proxy(whole, {
    get: (target, key) => {
      if (typeof key === 'symbol' || key === 'then' || key === 'toJSON')
        return target[key];
      if (!exports.has(key)) {
        const callee = `${specifier}#${key}`;
        exports.set(key, stub({ expression: callee, callee, args: [] }, calls));
      }
      return exports.get(key);
    },
  });
}

/**
 * @param {Case} file
 * @param {string} code
 * @param {vm.Context} context
 * @param {(specifier: string) => any} load
 * @returns {any}
 */
function asScript(file, code, context, load) {
  const module = { exports: {} };
  const whole = `(function (require, module, exports) {${code.replace(/^#!.*/, '')}\n})`;
  const script = new vm.Script(whole, {
    filename: file.path,
    importModuleDynamically: /** @type {any} */ (
      (/** @type {string} */ specifier) =>
        imported(specifier, wordsOf(code), context, load)
    ),
  });
  script.runInContext(context)(load, module, module.exports);
  return module.exports;
}

/**
 * @param {Case} file
 * @param {string} code
 * @param {vm.Context} context
 * @param {(specifier: string) => any} load
 * @returns {Promise<any>}
 */
async function asModule(file, code, context, load) {
  const names = wordsOf(code);
  const synthetic = async (/** @type {string} */ specifier) =>
    made(specifier, names, context, load);
  const module = new vm.SourceTextModule(code, {
    context,
    identifier: file.path,
    initializeImportMeta: (meta) => {
      meta.url = `file:///app/${file.path}`;
      meta.dirname = '/app';
    },
    importModuleDynamically: (specifier) =>
      imported(specifier, names, context, load),
  });
  await module.link(synthetic);
  await module.evaluate();
  return /** @type {any} */ (module.namespace).default;
}

/**
 * A module that has every name of the file as an export.
 *
 * @param {string} specifier
 * @param {string[]} names
 * @param {vm.Context} context
 * @param {(specifier: string) => any} load
 * @returns {vm.SyntheticModule}
 */
function made(specifier, names, context, load) {
  const value = load(specifier);
  return new vm.SyntheticModule(
    names,
    function () {
      for (const name of names) {
        this.setExport(
          name,
          name === 'default' &&
            (isBuiltin(specifier) || specifier.endsWith('.json'))
            ? value
            : value[name],
        );
      }
    },
    { context, identifier: specifier },
  );
}

/**
 * @param {string} specifier
 * @param {string[]} names
 * @param {vm.Context} context
 * @param {(specifier: string) => any} load
 * @returns {Promise<vm.Module>}
 */
async function imported(specifier, names, context, load) {
  const module = made(specifier, names, context, load);
  await module.link(() => {
    throw new Error('a stub imports nothing');
  });
  await module.evaluate();
  return module;
}

/**
 * @param {string} code
 * @returns {string[]} Every word of a file: the names of what it imports are among them.
 */
function wordsOf(code) {
  return [...new Set(['default', ...(code.match(/[A-Za-z_$][\w$]*/g) ?? [])])];
}

/** @type {Case[]} */
const cases = JSON.parse(fs.readFileSync(process.argv[2] ?? '', 'utf8'));
/** @type {Record<string, Record<string, unknown>>} */
const results = {};
for (const file of cases) {
  const result = (results[file.id] =
    /** @type {Record<string, unknown>} */ ({}));
  for (const scenario of SCENARIOS) {
    try {
      result[scenario.name] = await execute(file, scenario);
    } catch (error) {
      result[scenario.name] = {
        error: String(/** @type {any} */ (error)?.stack ?? error).slice(0, 600),
      };
    }
  }
}
process.stdout.write(JSON.stringify(results));
