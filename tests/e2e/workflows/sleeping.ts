import { sleep } from 'workflow';

async function keep<T>(value: T) {
  'use step';
  return value;
}

/** A sleep lasts at least as long as it says, by the workflow's own clock. */
export async function sleepForADuration() {
  'use workflow';
  const before = Date.now();
  await sleep('1s');
  return Date.now() - before >= 1000;
}

/** A sleep may end at a date. */
export async function sleepUntilADate() {
  'use workflow';
  const end = new Date(Date.now() + 400);
  await sleep(end);
  return Date.now() >= end.getTime();
}

/** A date that has passed does not hold the run up. */
export async function sleepUntilThePast() {
  'use workflow';
  await sleep(new Date(0));
  return 'awake';
}

/** Many sleeps at once end together, not one after the other. */
export async function manySleepsAtOnce() {
  'use workflow';
  const before = Date.now();
  const ends = await Promise.all(
    Array.from({ length: 50 }, async (_, number) => {
      await sleep(5000 + number);
      return number;
    }),
  );
  return { ends, together: Date.now() - before < 200_000 };
}

/** Sleeps one after the other add up. */
export async function sleepsAddUp() {
  'use workflow';
  const before = Date.now();
  for (const milliseconds of [300, 200, 100]) await sleep(milliseconds);
  return Date.now() - before >= 600;
}

/** A branch sleeps while another one works. */
export async function sleepBesideSteps() {
  'use workflow';
  const work = async () => {
    const first = await keep('first');
    return [first, await keep('second')];
  };
  const rest = async () => {
    await sleep(300);
    return 'rested';
  };
  return await Promise.all([work(), rest()]);
}

/** Parallel steps, then a sleep, then more parallel steps. */
export async function parallelStepsThenSleep() {
  'use workflow';
  const first = await Promise.all([1, 2, 3].map((number) => keep(number)));
  await sleep(100);
  const second = await Promise.all([4, 5, 6].map((number) => keep(number)));
  return [...first, ...second];
}

/** `run.wakeUp()` ends a sleep of a month at once. */
export async function wokenUp() {
  'use workflow';
  await sleep('30d');
  return await keep('woken');
}

/** A sleeping run can be cancelled. */
export async function cancelledAsleep() {
  'use workflow';
  await sleep('30d');
}
