// What all servers of these tests answer: it knows Request and Response only.
// Lines on the output tell the test what happens where no response can.

/** @param {string} line */
export const print = (line) => process.stdout.write(`\n${line}\n`);

/**
 * What `held` and `drip` wait for and `go` opens. A bundler may give each route
 * its own copy of this module, so it hangs on the process.
 */
function gate() {
  return (globalThis.gate ??= (() => {
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    return { open, opened };
  })());
}

/** @param {Request} request */
async function echo(request) {
  const body = Buffer.from(await request.arrayBuffer());
  return Response.json({
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    hasBody: request.body !== null,
    body: body.toString('hex'),
  });
}

/** @type {Record<string, (request: Request) => Response | Promise<Response>>} */
const ROUTES = {
  pipe: (request) => new Response(request.body),
  hang: async (request) => {
    print('hanging');
    await new Promise((resolve) =>
      request.signal.addEventListener('abort', resolve, { once: true }),
    );
    print(`gone: ${request.signal.reason.name}`);
    return new Response('too late');
  },
  late: (request) => {
    request.signal.addEventListener('abort', () => print('late abort'));
    return new Response('answered');
  },
  lost: async (request) => {
    print('reading');
    const failure = await request.arrayBuffer().then(
      () => 'whole',
      () => 'lost',
    );
    if (!request.signal.aborted) {
      await new Promise((resolve) =>
        request.signal.addEventListener('abort', resolve, { once: true }),
      );
    }
    print(`body: ${failure}`);
    return new Response('nobody reads this');
  },
  unread: () => new Response('too large', { status: 413 }),
  half: async (request) => {
    const reader = request.body.getReader();
    await reader.read();
    reader.releaseLock();
    return new Response('enough');
  },
  held: async (request) => {
    print('holding');
    await gate().opened;
    let bytes = 0;
    for await (const chunk of request.body) bytes += chunk.byteLength;
    return Response.json({ bytes });
  },
  go: () => {
    gate().open();
    globalThis.gate = undefined;
    return new Response('gone on');
  },
  drip: () =>
    new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(Buffer.from('first'));
          await gate().opened;
          controller.enqueue(Buffer.from('second'));
          controller.close();
        },
      }),
    ),
  rich: () => {
    const headers = new Headers({
      'content-type': 'image/x-all',
      'x-one': 'é',
    });
    headers.append('set-cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT');
    headers.append('set-cookie', 'b=2');
    const body = Uint8Array.from({ length: 256 }, (_, index) => index);
    return new Response(body, { status: 418, headers });
  },
  empty: () => new Response(null, { status: 204 }),
  endless: () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(Buffer.alloc(65_536)),
        cancel: () => print('cancelled'),
      }),
    ),
  quiet: () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(Buffer.from('one')),
        cancel: () => print('cancelled in silence'),
      }),
    ),
  broken: () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (this.begun) throw new Error('the source broke');
          this.begun = true;
          controller.enqueue(Buffer.from('part'));
        },
      }),
    ),
};

/** @param {Request} request */
export function handle(request) {
  const name = new URL(request.url).pathname.split('/').at(-1) ?? '';
  return (Object.hasOwn(ROUTES, name) ? ROUTES[name] : echo)(request);
}
