import { FatalError } from 'workflow';

async function fatal() {
  'use step';
  throw new FatalError('The step gives up');
}

async function broken() {
  'use step';
  throw new RangeError('The step is broken');
}
broken.maxRetries = 1;

async function echo<T>(value: T) {
  'use step';
  return value;
}

/** A `FatalError` that nobody catches fails the run. */
export async function failsByAFatalError() {
  'use workflow';
  await fatal();
}

/** So does a step whose retries are used up. */
export async function failsByAStep() {
  'use workflow';
  await broken();
}

/** So does an error of the workflow's own. */
export async function failsByItself() {
  'use workflow';
  await echo(1);
  throw new TypeError('The workflow is wrong');
}

/** An uncaught error fails the run by its own message, whatever its causes were. */
export async function failsWithACause() {
  'use workflow';
  throw new Error('outer', {
    cause: new Error('middle', { cause: new RangeError('inner') }),
  });
}

/** Text can be thrown, and fails the run like an error. */
export async function failsByText() {
  'use workflow';
  throw 'just text';
}

/** A result that cannot be serialized fails the run. */
export async function failsToReturn() {
  'use workflow';
  return { here: Symbol('no') };
}

/** The first of several failing steps decides. */
export async function failsAmongMany() {
  'use workflow';
  await Promise.all([echo(1), fatal(), echo(2)]);
}

/**
 * An argument that cannot be made a text ends its run: the SDK writes arguments to its debug log while it replays the
 * step's events, and takes what that throws for a damaged event log (source: @workflow/core 4.8.9 step.js). So it is for
 * objects without a prototype, as a pattern's named groups are.
 */
export async function failsByAnUnprintableArgument() {
  'use workflow';
  return await echo({ toString: 'not a function' });
}

export async function failsByNamedGroups() {
  'use workflow';
  return await echo(/(?<year>\d+)/.exec('2024')?.groups);
}
