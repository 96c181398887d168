import { createHook, FatalError } from 'workflow';
import { greeting } from './words';

async function answer(who: string) {
  'use step';
  console.log(`answering ${who}`);
  return `${greeting} ${who}, version one`;
}

async function breaks() {
  'use step';
  throw new FatalError('broken on purpose');
}

export async function loop(who: string) {
  'use workflow';
  return await answer(who);
}

export async function waiting(token: string) {
  'use workflow';
  const before = await answer('before');
  const hook = createHook<string>({ token });
  const said = await hook;
  return [before, said, await answer('after')];
}

export async function failing() {
  'use workflow';
  await breaks();
}
