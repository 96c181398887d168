import {
  createHook,
  createWebhook,
  FatalError,
  getStepMetadata,
  getWritable,
  RetryableError,
  sleep,
} from 'workflow';
import { start } from 'workflow/api';
import { withRunOptions } from 'workflow-studio/run-options';

/** Sequential and parallel steps, a retry, a sleep: the ordinary road. */
export async function order(customer: string, items: number[]) {
  'use workflow';
  const prices = await Promise.all(items.map((item) => price(item)));
  await sleep('1s');
  const payment = await charge(customer, prices);
  return { customer, ...payment };
}

async function price(item: number) {
  'use step';
  return { amount: item * 10, pid: process.pid };
}

async function charge(
  customer: string,
  prices: { amount: number; pid: number }[],
) {
  'use step';
  const { attempt } = getStepMetadata();
  if (attempt === 1) {
    throw new RetryableError('The bank is busy', { retryAfter: '1s' });
  }
  return {
    total: prices.reduce((sum, { amount }) => sum + amount, 0),
    attempt,
    pids: [...prices.map(({ pid }) => pid), process.pid],
    receipt: `receipt for ${customer}`,
  };
}

/** A step that can never work. */
export async function doomed() {
  'use workflow';
  await refuse();
}

async function refuse() {
  'use step';
  throw new FatalError('The card is stolen');
}

/** An error of the workflow itself. */
export async function broken() {
  'use workflow';
  await noop();
  throw new Error('Nobody catches me');
}

async function noop() {
  'use step';
}

/** Starts another run from a step, with a key that it shares with others. */
export async function delegating(concurrencyKey: string) {
  'use workflow';
  return await delegate(concurrencyKey);
}

async function delegate(concurrencyKey: string) {
  'use step';
  const run = await withRunOptions({ concurrencyKey, priority: 7 }, () =>
    start(crowded, [4]),
  );
  return run.runId;
}

/** Has several steps that would all work at the same time. */
export async function crowded(steps: number) {
  'use workflow';
  await Promise.all(Array.from({ length: steps }, () => dwell()));
}

async function dwell() {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits for people: twice on one hook. */
export async function approval(token: string) {
  'use workflow';
  const hook = createHook<{ ok: boolean }>({ token });
  const answers: boolean[] = [];
  for await (const { ok } of hook) {
    answers.push(ok);
    if (answers.length === 2) break;
  }
  return answers;
}

/** Gives its webhook's address away through a stream, then waits for a call and answers it. */
export async function callback() {
  'use workflow';
  const webhook = createWebhook({ respondWith: 'manual' });
  await announce(webhook.url);
  const request = await webhook;
  return await answer(request);
}

async function announce(url: string) {
  'use step';
  const writer = getWritable<string>().getWriter();
  await writer.write(url);
  writer.releaseLock();
}

async function answer(
  request: Request & { respondWith: (response: Response) => Promise<void> },
) {
  'use step';
  const body = await request.text();
  await request.respondWith(
    new Response(`thanks for ${body}`, { status: 202 }),
  );
  return body;
}

/** Streams numbers while it works. */
export async function counting(until: number) {
  'use workflow';
  await count(until);
  return until;
}

async function count(until: number) {
  'use step';
  const writable = getWritable<number>();
  const writer = writable.getWriter();
  for (let number = 0; number < until; number++) {
    await writer.write(number);
  }
  await writer.close();
}

/** Sleeps far longer than any test. */
export async function patient() {
  'use workflow';
  await sleep('30d');
}

/** Many short steps, each leaving a line in a file: what really ran, and how often. */
export async function ledger(
  path: string,
  entries: number,
  milliseconds: number,
) {
  'use workflow';
  const written: string[] = [];
  for (let entry = 0; entry < entries; entry++) {
    written.push(await enter(path, entry, milliseconds));
  }
  return written;
}

async function enter(path: string, entry: number, milliseconds: number) {
  'use step';
  const { appendFile } = await import('node:fs/promises');
  const { attempt } = getStepMetadata();
  await appendFile(path, `begin ${entry} ${attempt} ${process.pid}\n`);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  await appendFile(path, `end ${entry} ${attempt} ${process.pid}\n`);
  return `${entry}.${attempt}`;
}

/**
 * Some of everything: parallel steps, a sleep, a person's answer, a step that streams. Each execution of a step leaves
 * lines in the ledger, with a nonce that is in the step's result too.
 */
export async function voyage(
  path: string,
  number: number,
  milliseconds: number,
) {
  'use workflow';
  const out = await Promise.all(
    ['fore', 'main', 'mizzen'].map((leg) =>
      sail(path, number, leg, milliseconds),
    ),
  );
  await sleep('1s');
  const hook = createHook<{ port: string }>({ token: `voyage-${number}` });
  const { port } = await hook;
  const back = await sail(path, number, 'home', milliseconds);
  const told = await tell(path, number, port);
  return { number, port, sailed: [...out, back, told] };
}

async function sail(
  path: string,
  number: number,
  leg: string,
  milliseconds: number,
) {
  'use step';
  return await logged(
    path,
    number,
    leg,
    () => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  );
}

async function tell(path: string, number: number, port: string) {
  'use step';
  return await logged(path, number, 'tell', async () => {
    const writer = getWritable<string>().getWriter();
    await writer.write(port);
    await writer.close();
  });
}

async function logged(
  path: string,
  number: number,
  leg: string,
  work: () => Promise<unknown>,
) {
  const { appendFile } = await import('node:fs/promises');
  const nonce = crypto.randomUUID();
  await appendFile(path, `begin ${number} ${leg} ${nonce} ${process.pid}\n`);
  await work();
  await appendFile(path, `end ${number} ${leg} ${nonce} ${process.pid}\n`);
  return `${leg} ${nonce}`;
}

/** A step that kills the process it runs in, each time. */
export async function deadly() {
  'use workflow';
  await explode();
}

async function explode() {
  'use step';
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => {});
}
