import { createHash } from 'node:crypto';

/** Says in JSON what a value is, so that two of them can be compared: its type, its parts, their order. */
export function describe(value: unknown, above: unknown[] = []): unknown {
  if (typeof value === 'string') return shortened(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { number: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value !== 'object') return { [typeof value]: String(value) };
  if (above.includes(value)) return { circular: true };
  const inner = (part: unknown) => describe(part, [...above, value]);
  if (Array.isArray(value)) return Array.from(value, inner);
  return ofClass(value, inner);
}

function ofClass(value: object, inner: (part: unknown) => unknown): unknown {
  if (value instanceof ReadableStream) return { stream: true };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Map) return { map: inner([...value]) };
  if (value instanceof Set) return { set: inner([...value]) };
  if (value instanceof Headers) return { headers: inner([...value]) };
  if (value instanceof RegExp) return { pattern: String(value) };
  if (value instanceof URL) return { url: value.href };
  if (value instanceof URLSearchParams) return { query: String(value) };
  if (value instanceof ArrayBuffer) {
    return { buffer: ofBytes(new Uint8Array(value)) };
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(
      value.buffer,
      value.byteOffset,
      value.byteLength,
    );
    // Node.js reads a stream's bytes as a Buffer here and as a Uint8Array there; both are bytes.
    const name =
      value instanceof Uint8Array ? 'Uint8Array' : value.constructor.name;
    return { [name]: ofBytes(bytes) };
  }
  const parts = Object.entries(value).map(([key, part]) => [key, inner(part)]);
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? 'Object';
  const described = Object.fromEntries(parts);
  return name === 'Object' ? described : { [name]: described };
}

const shortened = (text: string) =>
  text.length <= 2000
    ? withoutIds(text)
    : { length: text.length, sha256: hash(text) };

// No two runs share an id of any kind, and messages name them.
const withoutIds = (text: string) =>
  text.replaceAll(/\b(wrun|evnt|step)_[0-9A-Z]{26}\b/g, '$1_…');

const ofBytes = (bytes: Uint8Array) =>
  bytes.length <= 256
    ? [...bytes]
    : { length: bytes.length, sha256: hash(bytes) };

const hash = (data: string | Uint8Array) =>
  createHash('sha256').update(data).digest('hex');

/** Says what an error is: its name, its message, its code and its causes, without the stack. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { thrown: describe(error) };
  const { code, cause } = error as Error & { code?: string };
  return {
    name: error.name,
    message: withoutIds(error.message.split('\n')[0]),
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  };
}
