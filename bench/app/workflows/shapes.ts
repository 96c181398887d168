import { createHook, getWritable } from 'workflow';

export async function nothing() {
  'use workflow';
  return 'done';
}

/** Returns when each step ran. */
export async function sequential(steps: number) {
  'use workflow';
  const times: number[] = [];
  for (let n = 0; n < steps; n += 1) {
    times.push(await tick(n));
  }
  return times;
}

export async function parallel(steps: number) {
  'use workflow';
  const numbers = Array.from({ length: steps }, (_, n) => echo(n));
  return (await Promise.all(numbers)).reduce((sum, n) => sum + n, 0);
}

export async function streaming(chunks: number) {
  'use workflow';
  return write(chunks);
}

export async function waiting(token: string) {
  'use workflow';
  using hook = createHook<string>({ token });
  return await hook;
}

/** Returns how much the steps returned. */
export async function payloads(steps: number, bytes: number) {
  'use workflow';
  let sum = 0;
  for (let n = 0; n < steps; n += 1) {
    sum += (await make(n, bytes)).length;
  }
  return sum;
}

export async function resting(ms: number) {
  'use workflow';
  return rest(ms);
}

/** Waits in each step, as steps do that call others. */
export async function patient(steps: number, ms: number) {
  'use workflow';
  for (let n = 0; n < steps; n += 1) await rest(ms);
}

async function tick(_n: number) {
  'use step';
  return performance.timeOrigin + performance.now();
}

async function echo(n: number) {
  'use step';
  return n;
}

async function write(chunks: number) {
  'use step';
  const writer = getWritable<string>().getWriter();
  for (let n = 0; n < chunks; n += 1) {
    await writer.write(`${n} `.padEnd(100, '.'));
  }
  await writer.close();
  return chunks;
}

async function make(n: number, bytes: number) {
  'use step';
  return String(n).padEnd(bytes, '.');
}

async function rest(ms: number) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
}
