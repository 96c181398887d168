import { sleep } from 'workflow';

async function add(left: number, right: number) {
  'use step';
  return left + right;
}

async function mark(log: string[], name: string) {
  'use step';
  return [...log, name];
}

async function refuse(reason: string) {
  'use step';
  const { FatalError } = await import('workflow');
  throw new FatalError(reason);
}

/** Steps run one after the other, each with the result of the one before. */
export async function sequence() {
  'use workflow';
  const three = await add(1, 2);
  const seven = await add(three, 4);
  return await add(seven, 8);
}

/** A run without any step completes with its value. */
export async function noSteps() {
  'use workflow';
  return { done: true };
}

/** A run may return nothing. */
export async function nothingReturned() {
  'use workflow';
  await add(1, 1);
}

/** Loops and conditions decide from the results of steps which step is next. */
export async function loopsAndBranches() {
  'use workflow';
  const path: string[] = [];
  let number = 6;
  while (number !== 1) {
    if (number % 2 === 0) {
      path.push('half');
      number = await add(number, -number / 2);
    } else {
      path.push('more');
      number = await add(number * 3, 1);
    }
  }
  return path;
}

/** `Promise.all` keeps the order of its steps, whichever ends first. */
export async function parallel() {
  'use workflow';
  return await Promise.all([90, 60, 30, 0].map((wait) => late(wait)));
}

async function late(milliseconds: number) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return `after ${milliseconds}`;
}

/** Independent branches of several steps run side by side. */
export async function parallelBranches() {
  'use workflow';
  const branch = async (start: number) => {
    const first = await add(start, 1);
    return await add(first, 10);
  };
  return await Promise.all([branch(100), branch(200), branch(300)]);
}

/** A generator of the workflow's own drives the steps. */
export async function asyncGenerator() {
  'use workflow';
  async function* sums() {
    for (let number = 1; number <= 4; number++) yield await add(number, number);
  }
  const found: number[] = [];
  for await (const sum of sums()) found.push(sum);
  return found;
}

/** Steps with wide fan-out: each result arrives in its own place. */
export async function wideFanOut() {
  'use workflow';
  return await Promise.all(
    Array.from({ length: 30 }, (_, number) => add(number, number)),
  );
}

/** A failed step rolls back what was done before, newest first. */
export async function saga() {
  'use workflow';
  let log: string[] = [];
  const rollbacks: (() => Promise<void>)[] = [];
  const step = async (name: string) => {
    log = await mark(log, name);
    rollbacks.push(async () => {
      log = await mark(log, `undo ${name}`);
    });
  };
  try {
    await step('reserve');
    await step('charge');
    await refuse('The parcel is too big');
  } catch (error) {
    for (const rollback of rollbacks.reverse()) await rollback();
    log = await mark(log, (error as Error).message);
  } finally {
    log = await mark(log, 'finally');
  }
  return log;
}

/** A workflow that calls itself awaits its own steps at every level. */
export async function recursion(depth = 12): Promise<number> {
  'use workflow';
  const descend = async (left: number): Promise<number> =>
    left === 0 ? 0 : await add(1, await descend(left - 1));
  return await descend(depth);
}

/** Deep recursion without steps is ordinary JavaScript. */
export async function deepRecursion() {
  'use workflow';
  const depth = (left: number): number =>
    left === 0 ? 0 : 1 + depth(left - 1);
  const before = depth(2000);
  return [before, await add(before, depth(1000))];
}

/** A promise started early is awaited late; steps between do not disturb it. */
export async function startedEarlyAwaitedLate() {
  'use workflow';
  const early = late(50);
  const between = await add(20, 22);
  return [between, await early];
}

/** A value given to a step is a copy: what the step does to it stays there. */
export async function passByValue() {
  'use workflow';
  const person = { name: 'Ada', tags: ['a'] };
  const changed = await rename(person);
  return { person, changed };
}

async function rename(person: { name: string; tags: string[] }) {
  'use step';
  person.name = 'Grace';
  person.tags.push('b');
  return person;
}

/** Steps and sleeps take turns without losing their place. */
export async function stepsAndSleeps() {
  'use workflow';
  let sum = 0;
  for (let round = 1; round <= 3; round++) {
    sum = await add(sum, round);
    await sleep(50);
  }
  return sum;
}
