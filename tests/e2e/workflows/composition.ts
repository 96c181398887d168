import { getRun, start } from 'workflow/api';

async function double(value: number) {
  'use step';
  return value * 2;
}

async function spawn(value: number) {
  'use step';
  const run = await start(child, [value]);
  return run.runId;
}

async function resultOf(runId: string) {
  'use step';
  return await getRun<number>(runId).returnValue;
}

async function spawnFailing() {
  'use step';
  const run = await start(failingChild);
  try {
    await run.returnValue;
  } catch (error) {
    return (error as Error).name;
  }
}

async function cancelChild() {
  'use step';
  const run = await start(sleepingChild);
  await run.cancel();
  return await run.status;
}

async function unknownRun() {
  'use step';
  try {
    return await getRun('wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV').status;
  } catch (error) {
    return (error as Error).name;
  }
}

/** Works alone, and for others. */
export async function child(value = 21) {
  'use workflow';
  return await double(value);
}

async function failingChild() {
  'use workflow';
  throw new Error('The child is unwell');
}

async function sleepingChild() {
  'use workflow';
  const { sleep } = await import('workflow');
  await sleep('30d');
}

/** A workflow that awaits another one runs its steps as its own. */
export async function directAwait() {
  'use workflow';
  return [await child(1), await child(2)];
}

/** A step starts a run; another step awaits its result. */
export async function startedByAStep() {
  'use workflow';
  const runId = await spawn(33);
  return [runId.startsWith('wrun_'), await resultOf(runId)];
}

/** Several children at once. */
export async function startedByManySteps() {
  'use workflow';
  const ids = await Promise.all([1, 2, 3].map((value) => spawn(value)));
  return await Promise.all(ids.map((id) => resultOf(id)));
}

/** The parent learns that its child failed. */
export async function childThatFails() {
  'use workflow';
  return await spawnFailing();
}

/** A step cancels a run that it started. */
export async function childThatIsCancelled() {
  'use workflow';
  return await cancelChild();
}

/** A run that does not exist is refused by name. */
export async function unknownRunAsked() {
  'use workflow';
  return await unknownRun();
}
