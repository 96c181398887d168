import { createHook, sleep } from 'workflow';

async function after(milliseconds: number, value: string) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return value;
}

async function refuse(reason: string): Promise<string> {
  'use step';
  const { FatalError } = await import('workflow');
  throw new FatalError(reason);
}

/** The step is faster than its time limit. */
export async function stepBeatsSleep() {
  'use workflow';
  return await Promise.race([
    after(0, 'the step'),
    sleep('1h').then(() => 'the sleep'),
  ]);
}

/** The time limit is over before the step is. */
export async function sleepBeatsStep() {
  'use workflow';
  return await Promise.race([
    after(30_000, 'the step'),
    sleep(300).then(() => 'the sleep'),
  ]);
}

/** Nobody resumes the hook: the time limit wins. */
export async function sleepBeatsHook() {
  'use workflow';
  const hook = createHook<string>({ token: 'zoo:never-resumed' });
  return await Promise.race([hook, sleep(200).then(() => 'the sleep')]);
}

/** The shorter of two sleeps wins. */
export async function shorterSleepWins() {
  'use workflow';
  return await Promise.race([
    sleep('1h').then(() => 'long'),
    sleep(200).then(() => 'short'),
  ]);
}

/** After a race the workflow goes on, and the loser's result is dropped. */
export async function raceThenMore() {
  'use workflow';
  const winner = await Promise.race([after(15_000, 'slow'), after(0, 'fast')]);
  return [winner, await after(0, 'next')];
}

/** `Promise.any` passes over failures. */
export async function anyPassesOverFailures() {
  'use workflow';
  return await Promise.any([
    refuse('first'),
    refuse('second'),
    after(100, 'third'),
  ]);
}

/** `Promise.any` with failures only gives them all. */
export async function anyOfNothing() {
  'use workflow';
  try {
    return await Promise.any([refuse('first'), refuse('second')]);
  } catch (error) {
    return (error as AggregateError).errors.map((each: Error) => each.message);
  }
}

/** `Promise.allSettled` tells which steps failed. */
export async function allSettled() {
  'use workflow';
  const ends = await Promise.allSettled([
    after(50, 'fine'),
    refuse('not fine'),
    after(0, 'fine too'),
  ]);
  return ends.map((end) =>
    end.status === 'fulfilled' ? end.value : (end.reason as Error).message,
  );
}
