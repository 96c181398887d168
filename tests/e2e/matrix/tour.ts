import { createHook, createWebhook, getWritable, sleep } from 'workflow';

/** A step, a sleep, a hook, a webhook and a stream, in this order. */
export async function tour(name: string, token: string) {
  'use workflow';

  const greeting = await greet(name);
  await tell(`${greeting}\n`);
  await sleep('1s');

  const hook = createHook<{ answer: number }>({ token });
  await tell('hook\n');
  const { answer } = await hook;

  const webhook = createWebhook();
  await tell(`${webhook.url}\n`);
  const request = await webhook;
  const body = await bytesOf(request);
  await end();
  return {
    greeting,
    answer,
    method: request.method,
    type: request.headers.get('content-type'),
    body,
  };
}

async function greet(name: string) {
  'use step';
  return `hello ${name}`;
}

async function tell(line: string) {
  'use step';
  const writer = getWritable<Uint8Array>().getWriter();
  await writer.write(new TextEncoder().encode(line));
  writer.releaseLock();
}

async function bytesOf(request: Request) {
  'use step';
  return [...new Uint8Array(await request.arrayBuffer())];
}

async function end() {
  'use step';
  await getWritable().close();
}
