import { FatalError, getStepMetadata, RetryableError } from 'workflow';

async function succeedAt(attempt: number) {
  'use step';
  const metadata = getStepMetadata();
  if (metadata.attempt < attempt) throw new Error(`try ${metadata.attempt}`);
  return metadata.attempt;
}

async function never() {
  'use step';
  throw new TypeError('It never works');
}
never.maxRetries = 0;

async function twice() {
  'use step';
  throw new Error(`attempt ${getStepMetadata().attempt}`);
}
twice.maxRetries = 1;

async function later(kind: 'text' | 'number' | 'date') {
  'use step';
  const { attempt } = getStepMetadata();
  if (attempt === 1) {
    const retryAfter =
      kind === 'date'
        ? new Date(Date.now() + 300)
        : kind === 'text'
          ? '300ms'
          : 300;
    throw new RetryableError('Not yet', { retryAfter });
  }
  return attempt;
}

async function fatal() {
  'use step';
  throw new FatalError('Stop here');
}

async function caused() {
  'use step';
  throw new FatalError(
    `Outer: ${new Error('outer', { cause: new RangeError('inner') }).cause}`,
  );
}

async function throwText() {
  'use step';
  throw 'just text';
}
throwText.maxRetries = 0;

async function echo<T>(value: T) {
  'use step';
  return value;
}

class ZooError extends Error {
  constructor(
    message: string,
    readonly cage: number,
  ) {
    super(message);
    this.name = 'ZooError';
  }
}

async function throwOwnClass() {
  'use step';
  throw new ZooError('The lion is out', 7);
}
throwOwnClass.maxRetries = 0;

// An error from a step is of the step's realm: `instanceof Error` does not know it in the workflow.
const told = (error: unknown) => {
  const { name, message } = error as Error;
  return name ? { name, message: message.split('\n')[0] } : { thrown: error };
};

const caught = (action: () => Promise<unknown>) => action().catch(told);

/** A failed step is tried again, and its attempts are counted. */
export async function retried() {
  'use workflow';
  return await succeedAt(3);
}

/** Retries of parallel steps do not disturb each other. */
export async function retriedInParallel() {
  'use workflow';
  return await Promise.all([succeedAt(2), succeedAt(1), succeedAt(2)]);
}

/** `RetryableError` waits for a duration, for milliseconds, for a date. */
export async function retriedLater() {
  'use workflow';
  return await Promise.all([later('text'), later('number'), later('date')]);
}

/** `maxRetries = 0`: one attempt, and the workflow may catch what it threw. */
export async function notRetried() {
  'use workflow';
  return await caught(never);
}

/** `maxRetries = 1`: two attempts, then the last error. */
export async function retriesUsedUp() {
  'use workflow';
  return await caught(twice);
}

/** A `FatalError` is not retried, can be told from others, can be caught. */
export async function fatalErrorCaught() {
  'use workflow';
  try {
    await fatal();
  } catch (error) {
    return [FatalError.is(error), told(error)];
  }
}

/** An error of a class of its own arrives as a `FatalError` that quotes it; so does one that quotes its cause. */
export async function ownErrorClass() {
  'use workflow';
  return [await caught(throwOwnClass), await caught(caused)];
}

/** A step may throw what is no error. */
export async function textThrown() {
  'use workflow';
  return await caught(throwText);
}

/** Errors as values keep name and message; their causes do not travel with workflow 4.8.9. */
export async function errorsAsValues() {
  'use workflow';
  const inner = new RangeError('inner');
  const back = await echo([
    new TypeError('outer', { cause: inner }),
    new Error('plain', { cause: { code: 7 } }),
  ]);
  return back.map((error) => ({
    ...told(error),
    cause: error.cause ? told(error.cause) : 'none',
  }));
}

/** The failure of one of several parallel steps; the others end as well. */
export async function failureAmongParallelSteps() {
  'use workflow';
  return await caught(() => Promise.all([echo(1), fatal(), succeedAt(1)]));
}

/** An error of the workflow itself, caught by the workflow. */
export async function errorWithinTheWorkflow() {
  'use workflow';
  await echo(1);
  return await caught(async () => {
    throw new ZooError('The bear is out', 3);
  });
}
