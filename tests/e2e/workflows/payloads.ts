async function size(value: string | Uint8Array) {
  'use step';
  return value.length;
}

async function make(length: number) {
  'use step';
  return 'abcdefghij'.repeat(length / 10);
}

async function bytes(length: number) {
  'use step';
  return Uint8Array.from({ length }, (_, index) => (index * 31) % 256);
}

async function echo<T>(value: T) {
  'use step';
  return value;
}

/** Megabytes of text go into a step, out of it, and out of the run. */
export async function largeText() {
  'use workflow';
  const text = await make(2_000_000);
  return { size: await size(text), text };
}

/** Megabytes of bytes arrive unharmed. */
export async function largeBytes() {
  'use workflow';
  const data = await bytes(1_500_000);
  return { size: await size(data), data };
}

/** A large argument of the run. */
export async function largeArgument(text: string) {
  'use workflow';
  return { size: await size(text), end: text.slice(-5) };
}

/** Every byte there is. */
export async function allBytes() {
  'use workflow';
  return await echo(Uint8Array.from({ length: 256 }, (_, index) => index));
}

/** Null bytes in text, in keys and in what a run returns. */
export async function nullBytes(argument: string) {
  'use workflow';
  return await echo({ argument, 'a\0key': ['\0', 'a\0b', '\0\0'] });
}

/** Null bytes in an error's message. */
export async function nullByteInAnError() {
  'use workflow';
  try {
    await refuse();
  } catch (error) {
    return (error as Error).message.includes('left\0right');
  }
}

async function refuse() {
  'use step';
  const { FatalError } = await import('workflow');
  throw new FatalError('left\0right');
}

/** Many properties, deep nesting. */
export async function wideAndDeep() {
  'use workflow';
  const wide = Object.fromEntries(
    Array.from({ length: 3000 }, (_, index) => [`key ${index}`, index]),
  );
  let deep: unknown = 'bottom';
  for (let level = 0; level < 100; level++) deep = { deep };
  const back = await echo({ wide, deep });
  let depth = 0;
  for (let at = back.deep; typeof at === 'object'; depth++) {
    at = (at as { deep: unknown }).deep;
  }
  return { keys: Object.keys(back.wide).length, depth };
}

/** Text that looks like the serializer's own words is just text. */
export async function confusingText() {
  'use workflow';
  return await echo([
    'devl[1]',
    '[["Date","2020-01-01"]]',
    '-1',
    '__proto__',
    JSON.parse('{"then": "not a promise", "length": -1}'),
  ]);
}
