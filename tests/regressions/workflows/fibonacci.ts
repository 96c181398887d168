import { start } from 'workflow/api';

/** Each run starts two more in steps, and awaits them there. */
export async function fibonacci(n: number): Promise<number> {
  'use workflow';
  if (n < 2) return n;
  const [before, beforeThat] = await Promise.all([
    resultOf(n - 1),
    resultOf(n - 2),
  ]);
  return await add(before, beforeThat);
}

async function resultOf(n: number): Promise<number> {
  'use step';
  const run = await start(fibonacci, [n]);
  return await run.returnValue;
}

async function add(a: number, b: number) {
  'use step';
  return a + b;
}
