export interface RunOptions {
  /**
   * The key of a limit that the run shares with the others that name it, such
   * as a customer's id: 1 to 256 characters. How many of their steps work at a
   * time is the worker's limit `key:…`.
   */
  concurrencyKey?: string;
  /**
   * From -100 to 100; 0 if left out. Where more is due than there are places
   * for, a point counts as a minute of waiting.
   */
  priority?: number;
}

/**
 * Gives all runs that are started in the course of `callback` these options, and
 * returns what it returns:
 *
 *     const run = await withRunOptions({ concurrencyKey: order.customer }, () =>
 *       start(processOrder, [order]),
 *     );
 *
 * Within another one, an option that is left out stays what it is outside. Runs
 * that do not go to a worker have neither keys nor priorities.
 */
export function withRunOptions<T>(options: RunOptions, callback: () => T): T;
