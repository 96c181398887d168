'use strict';
/**
 * The console that is at work while something is printed: of which level that
 * is, and which of the lines of a replay.
 */

/** @typedef {'debug' | 'info' | 'warn' | 'error'} Level */

/** @type {Readonly<Record<string, Level>>} */
const LEVELS = Object.freeze({
  debug: 'debug',
  trace: 'debug',
  log: 'info',
  info: 'info',
  warn: 'warn',
  error: 'error',
});

/** @param {() => boolean} isReplay Whether the calling code replays a workflow function. */
function createConsoles(isReplay) {
  /**
   * The level of the console method that is at work.
   *
   * @type {Level | undefined}
   */
  let level;
  /**
   * Counts the lines of the replay whose console is at work.
   *
   * @type {{ lines: number } | undefined}
   */
  let replay;

  /**
   * @param {() => void} print
   * @returns {() => void} Does it later, as if by the console at work now.
   */
  const again = (print) => {
    const its = { level, replay };
    return () => {
      const before = { level, replay };
      ({ level, replay } = its);
      try {
        print();
      } finally {
        ({ level, replay } = before);
      }
    };
  };

  const watchConsole = () => {
    const methods = /** @type {Record<string, any>} */ (
      /** @type {unknown} */ (console)
    );
    for (const [name, its] of Object.entries(LEVELS)) {
      const method = methods[name];
      methods[name] = {
        /**
         * @this {unknown}
         * @param {...unknown} given
         */
        [name](...given) {
          const before = level;
          level ??= its; // some methods print by way of others
          try {
            return Reflect.apply(method, this, given);
          } finally {
            level = before;
          }
        },
      }[name];
    }
  };

  /**
   * @returns {Console} The console of one replay: that of this process, save
   *   that its lines are counted. The next replay prints the same ones again.
   */
  const replayConsole = () => {
    const counter = { lines: 0 };
    return new Proxy(console, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (/** @type {unknown[]} */ ...given) => {
          const before = replay;
          replay = counter;
          try {
            return Reflect.apply(value, target, given);
          } finally {
            replay = before;
          }
        };
      },
    });
  };

  /**
   * Give every replay a console of its own.
   *
   * The SDK makes a context per replay and lends it the console of the process
   * (source: @workflow/core 4.8.9, vm/index.js).
   */
  const watchReplays = () => {
    const vm = require('node:vm');
    const { createContext } = vm;
    /** @param {Parameters<typeof createContext>} given */
    vm.createContext = (...given) => {
      const context = createContext(...given);
      if (given[0] === undefined && isReplay()) {
        lend(context, replayConsole());
      }
      return context;
    };
  };

  return {
    /** The level of the console method that is at work. */
    level: () => level,

    /** @returns {number | undefined} That of the line, if a replay prints it. */
    numberOfLine: () => (replay ? replay.lines++ : undefined),

    again,

    /** Listen to consoles from now on. */
    watch: () => {
      watchConsole();
      watchReplays();
    },
  };
}

/**
 * Have a context keep its console when it is given that of the process.
 *
 * @param {object} context
 * @param {Console} its
 */
function lend(context, its) {
  const general = console;
  Object.defineProperty(context, 'console', {
    get: () => its,
    set(value) {
      if (value === general) return;
      Object.defineProperty(context, 'console', { value, writable: true });
    },
    configurable: true,
    enumerable: true,
  });
}

module.exports = { createConsoles };
