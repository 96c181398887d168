import {
  createWebhook,
  getWritable,
  sleep,
  type RequestWithResponse,
} from 'workflow';

/** Tells the world outside an address or a token. */
export async function announce(text: string) {
  'use step';
  const writer = getWritable<string>().getWriter();
  await writer.write(text);
  writer.releaseLock();
}

async function answer(request: RequestWithResponse, text: string) {
  'use step';
  await request.respondWith(
    new Response(text, { status: 418, headers: { 'x-zoo': 'parrot' } }),
  );
}

async function readBody(request: Request) {
  'use step';
  return new Uint8Array(await request.arrayBuffer());
}

/** By default the caller gets 202 at once; the workflow gets the request. */
export async function webhookByDefault() {
  'use workflow';
  using webhook = createWebhook();
  await announce(webhook.url);
  const request = await webhook;
  return {
    method: request.method,
    path: new URL(request.url).pathname.startsWith('/.well-known/workflow/'),
    query: new URL(request.url).search,
    header: request.headers.get('x-zoo'),
    body: await request.json(),
  };
}

/** A response made beforehand is given to every caller. */
export async function webhookStatic() {
  'use workflow';
  using webhook = createWebhook({
    respondWith: Response.json(
      { accepted: true },
      { status: 201, headers: { 'x-zoo': 'turtle' } },
    ),
  });
  await announce(webhook.url);
  const request = await webhook;
  return await request.text();
}

/** A step answers the caller by what the request says. */
export async function webhookManual() {
  'use workflow';
  using webhook = createWebhook({ respondWith: 'manual' });
  await announce(webhook.url);
  const request = await webhook;
  const body = await request.text();
  await answer(request, `You said ${body}`);
  return body;
}

/** A webhook is called several times, each call answered by its own step. */
export async function webhookManyTimes() {
  'use workflow';
  using webhook = createWebhook({ respondWith: 'manual' });
  await announce(webhook.url);
  const bodies: string[] = [];
  for await (const request of webhook) {
    bodies.push(await request.text());
    await answer(request, `${bodies.length}`);
    if (bodies.length === 3) break;
  }
  return bodies;
}

/** The bytes of a call arrive unharmed. */
export async function webhookBytes() {
  'use workflow';
  using webhook = createWebhook();
  await announce(webhook.url);
  return await readBody(await webhook);
}

/** A call without a body, by another method. */
export async function webhookWithoutABody() {
  'use workflow';
  using webhook = createWebhook();
  await announce(webhook.url);
  const request = await webhook;
  return [request.method, await request.text()];
}

/** The call comes before the time limit. */
export async function webhookInTime() {
  'use workflow';
  using webhook = createWebhook();
  await announce(webhook.url);
  return await Promise.race([
    webhook.then((request) => request.text()),
    sleep('1h').then(() => 'too late'),
  ]);
}
