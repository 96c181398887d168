import { getWritable } from 'workflow';

async function write(values: unknown[], namespace?: string) {
  'use step';
  const writer = getWritable({ namespace }).getWriter();
  for (const value of values) await writer.write(value);
  writer.releaseLock();
}

async function finish(namespace?: string) {
  'use step';
  await getWritable({ namespace }).close();
}

async function writeTo(writable: WritableStream, value: unknown) {
  'use step';
  const writer = writable.getWriter();
  await writer.write(value);
  writer.releaseLock();
}

async function produce(length: number) {
  'use step';
  return new ReadableStream<number>({
    start(controller) {
      for (let number = 0; number < length; number++) {
        controller.enqueue(number);
      }
      controller.close();
    },
  });
}

async function produceBytes(chunks: number) {
  'use step';
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (chunks-- === 0) controller.close();
      else controller.enqueue(new Uint8Array(10_000).fill(chunks));
    },
  });
}

async function squared(input: ReadableStream<number>) {
  'use step';
  return input.pipeThrough(
    new TransformStream<number, number>({
      transform: (value, controller) => controller.enqueue(value * value),
    }),
  );
}

async function collect<T>(input: ReadableStream<T>) {
  'use step';
  const found: T[] = [];
  for await (const value of input) found.push(value);
  return found;
}

async function total(input: ReadableStream<Uint8Array>) {
  'use step';
  let [length, sum] = [0, 0];
  for await (const chunk of input) {
    length += chunk.length;
    sum += chunk.reduce((left, right) => left + right, 0);
  }
  return { length, sum };
}

/** What steps write arrives outside in order, whatever its type. */
export async function streamOut() {
  'use workflow';
  await write(['text', 1, { nested: [1n] }, new Date(7), 'null \0 byte']);
  await write([new Map([['key', new Set(['value'])]])]);
  await finish();
  return 'written';
}

/** Bytes written to a stream arrive as bytes. */
export async function bytesOut() {
  'use workflow';
  await write([new Uint8Array([0, 1, 255]), new Uint8Array(70_000).fill(7)]);
  await finish();
}

/** Streams of two names do not mix with each other or with the one without. */
export async function namedStreams() {
  'use workflow';
  await write(['log 1', 'log 2'], 'logs');
  await write([{ cpu: 45 }], 'metrics');
  await write(['plain']);
  await Promise.all([finish('logs'), finish('metrics'), finish()]);
}

/** A reader may begin in the middle, or count from the end. */
export async function streamFromTheMiddle() {
  'use workflow';
  await write(Array.from({ length: 10 }, (_, number) => number));
  await finish();
}

/** The workflow hands its stream to its steps. */
export async function streamHandedToSteps() {
  'use workflow';
  const writable = getWritable<string>();
  await writeTo(writable, 'first');
  await writeTo(writable, 'second');
  await finish();
}

/** Steps that write at once lose nothing. */
export async function writersAtOnce() {
  'use workflow';
  await Promise.all(
    Array.from({ length: 6 }, (_, writer) =>
      write([`${writer} a`, `${writer} b`]),
    ),
  );
  await finish();
}

/** A stream goes from step to step, changed on its way. */
export async function streamBetweenSteps() {
  'use workflow';
  return await collect(await squared(await produce(8)));
}

/** A stream of bytes between steps. */
export async function bytesBetweenSteps() {
  'use workflow';
  return await total(await produceBytes(20));
}

/** A run reads a stream it was started with. */
export async function streamIn(input: ReadableStream<Uint8Array>) {
  'use workflow';
  return await total(input);
}

/** A run returns a stream. */
export async function streamReturned() {
  'use workflow';
  return await produce(5);
}
