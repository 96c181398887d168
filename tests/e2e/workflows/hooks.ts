import { createHook, defineHook, getWorkflowMetadata, sleep } from 'workflow';

async function keep<T>(value: T) {
  'use step';
  return value;
}

/** A hook that checks what it is resumed with. */
export const checked = defineHook<{ name: string }, { name: string }>({
  schema: {
    '~standard': {
      version: 1,
      vendor: 'zoo',
      validate: (value) => {
        const { name } = value as { name?: unknown };
        return typeof name === 'string'
          ? { value: { name: name.trim() } }
          : { issues: [{ message: 'A name is missing' }] };
      },
    },
  },
});

/** A hook is resumed once, with a value of many types. */
export async function hookOnce() {
  'use workflow';
  const payload = await createHook({ token: 'zoo:once' });
  return await keep(payload);
}

/** A hook takes one value after the other. */
export async function hookManyTimes() {
  'use workflow';
  const hook = createHook<number>({ token: 'zoo:many' });
  const found: number[] = [];
  for await (const value of hook) {
    found.push(await keep(value));
    if (found.length === 5) break;
  }
  return found;
}

/** Values that arrive while the workflow is busy wait for it. */
export async function hookWhileBusy() {
  'use workflow';
  using hook = createHook<string>({ token: 'zoo:busy' });
  await hook.getConflict();
  await sleep(1200);
  return [await hook, await hook];
}

/** Without a token of its own a hook gets a random one. */
export async function hookWithoutAToken() {
  'use workflow';
  const hook = createHook<string>();
  const { announce } = await import('./webhooks');
  await announce(hook.token);
  return [await hook, hook.token.length > 10];
}

/** The metadata of a hook can be read by whoever knows its token. */
export async function hookWithMetadata() {
  'use workflow';
  return await createHook({
    token: 'zoo:metadata',
    metadata: { owner: 'Ada', since: new Date(3) },
  });
}

/** A schema refuses one payload and trims the other. */
export async function hookWithASchema() {
  'use workflow';
  return await checked.create({ token: 'zoo:schema' });
}

/** A token that is taken is told before anybody waits for it. */
export async function hookConflict() {
  'use workflow';
  const first = createHook({ token: 'zoo:taken' });
  const free = await first.getConflict();
  const second = createHook({ token: 'zoo:taken' });
  const conflict = await second.getConflict();
  const { workflowRunId } = getWorkflowMetadata();
  return { free, mine: conflict?.runId === workflowRunId };
}

/** Awaiting a hook whose token is taken throws. */
export async function hookConflictThrown() {
  'use workflow';
  const first = createHook({ token: 'zoo:taken-too' });
  await first.getConflict();
  try {
    await createHook({ token: 'zoo:taken-too' });
  } catch (error) {
    return [(error as Error).name, (error as Error).message.split('\n')[0]];
  }
}

/** A disposed hook gives its token back. */
export async function hookDisposed() {
  'use workflow';
  const found: string[] = [];
  {
    using hook = createHook<string>({ token: 'zoo:again' });
    found.push(await hook);
  }
  await keep('between');
  using hook = createHook<string>({ token: 'zoo:again' });
  found.push(await hook);
  return found;
}

/** The hook is resumed before its time limit. */
export async function hookBeatsSleep() {
  'use workflow';
  const hook = createHook<string>({ token: 'zoo:in-time' });
  return await Promise.race([hook, sleep('1h').then(() => 'too late')]);
}

/** Two hooks of one run are told apart. */
export async function twoHooks() {
  'use workflow';
  const left = createHook<string>({ token: 'zoo:left' });
  const right = createHook<string>({ token: 'zoo:right' });
  return await Promise.all([left, right]);
}
