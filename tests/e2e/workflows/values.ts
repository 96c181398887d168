async function echo<T>(value: T) {
  'use step';
  return value;
}

async function kinds(values: Record<string, unknown>) {
  'use step';
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      Object.prototype.toString.call(value),
    ]),
  );
}

/** JSON's own types and the numbers that JSON has no word for. */
export async function plainValues() {
  'use workflow';
  return await echo({
    text: 'Grüße, 世界 🎉 \u2028 "quoted" \\ </script>',
    empty: '',
    lone: '\ud83d',
    zero: 0,
    minusZero: -0,
    notANumber: NaN,
    infinite: [Infinity, -Infinity],
    small: 5e-324,
    large: Number.MAX_SAFE_INTEGER,
    yes: true,
    nothing: null,
    missing: undefined,
    nested: [[[[]]], {}],
  });
}

/** Arrays keep their holes. */
export async function sparseArray() {
  'use workflow';
  const array = await echo([1, , 3]);
  return { length: array.length, hole: !(1 in array) };
}

/** BigInts of any size. */
export async function bigInts() {
  'use workflow';
  return await echo([0n, -1n, 2n ** 200n]);
}

/** Dates to the millisecond, and the invalid one. */
export async function dates() {
  'use workflow';
  return await echo([
    new Date(Date.UTC(2024, 1, 29, 12, 30, 15, 123)),
    new Date(0),
    new Date(NaN),
  ]);
}

/** Maps and sets keep their order and take anything as a key. */
export async function mapsAndSets() {
  'use workflow';
  return await echo(
    new Map<unknown, unknown>([
      ['z', new Set([3, 1, 2])],
      [7n, new Map([[{ key: true }, [new Date(5)]]])],
      [undefined, null],
    ]),
  );
}

/** URLs, search parameters, regular expressions and headers. */
export async function urlsPatternsHeaders() {
  'use workflow';
  return await echo({
    url: new URL('https://ada:pw@example.com:8443/a%20b/?q=1&q=2#end'),
    query: new URLSearchParams('b=2&a=1&b=3'),
    noQuery: new URLSearchParams(),
    pattern: /a(?<name>b+)\/c/giu,
    headers: new Headers([
      ['x-zoo', 'lion'],
      ['accept', 'text/plain'],
    ]),
  });
}

/** Every kind of typed array, in both directions. */
export async function typedArrays() {
  'use workflow';
  const given = {
    buffer: new Uint8Array([0, 255, 10]).buffer,
    int8: new Int8Array([-128, 127]),
    uint8: new Uint8Array([0, 255]),
    clamped: new Uint8ClampedArray([300, -5]),
    int16: new Int16Array([-32768, 32767]),
    uint16: new Uint16Array([65535]),
    int32: new Int32Array([-(2 ** 31)]),
    uint32: new Uint32Array([2 ** 32 - 1]),
    float32: new Float32Array([0.5, NaN]),
    float64: new Float64Array([Math.PI, -0]),
    bigInt64: new BigInt64Array([-(2n ** 63n)]),
    bigUint64: new BigUint64Array([2n ** 64n - 1n]),
    none: new Uint8Array(0),
  };
  return { kinds: await kinds(given), back: await echo(given) };
}

/** A view of a part of a buffer carries that part only. */
export async function partialViews() {
  'use workflow';
  const whole = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  return await echo([
    whole.subarray(2, 5),
    new Uint16Array(whole.buffer, 4, 2),
  ]);
}

/** One object in two places stays one object; a circle stays a circle. */
export async function sharedAndCircular() {
  'use workflow';
  const shared = { name: 'shared' };
  const circle: Record<string, unknown> = { left: shared, right: shared };
  circle.self = circle;
  const back = await echo(circle);
  return { same: back.left === back.right, circle: back.self === back };
}

/** Arguments of a run arrive with their types. */
export async function typedArguments(...args: unknown[]) {
  'use workflow';
  return { here: args, there: await echo(args) };
}

/** What cannot be serialized is refused where the workflow can catch it. */
export async function unserializableArgument() {
  'use workflow';
  try {
    await echo({ here: Symbol('no') });
    return 'accepted';
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}

/** A result that cannot be serialized fails its step, once its retries are used up. */
export async function unserializableResult() {
  'use workflow';
  try {
    await makeFunction();
    return 'accepted';
  } catch (error) {
    return [(error as Error).name, (error as Error).message.split('\n')[0]];
  }
}

async function makeFunction() {
  'use step';
  return { here: () => 1 };
}

// Keys that every object inherits, here with values of the object's own.
const shadowing = () => ({
  toString: 'not a function',
  constructor: { name: 'DOMException', classId: 'none' },
  valueOf: null,
  hasOwnProperty: 0,
  toJSON: 'text',
  then: 'never',
  inner: [{ toString: 1, constructor: 'me' }],
});

async function makeShadowing() {
  'use step';
  return shadowing();
}

/** Keys may shadow what objects inherit: in arguments, in a step's result and in the run's. */
export async function shadowingKeys(...args: unknown[]) {
  'use workflow';
  const made = await makeShadowing();
  return { args, made, back: await echo({ made, here: shadowing(), args }) };
}

async function describeException(value: unknown) {
  'use step';
  const { name, message, code } = value as DOMException;
  return { name, message, code, error: value instanceof Error };
}

async function makeException() {
  'use step';
  return new DOMException('Too late', 'TimeoutError');
}
makeException.maxRetries = 0;

const outcome = async (action: () => Promise<unknown>) => {
  try {
    return await action();
  } catch (error) {
    const { name, message } = error as Error;
    return [name, message.split('\n')[0]];
  }
};

/** A DOMException goes into a step as far as this version of Node.js lets it, and the workflow goes on. */
export async function exceptionAsArgument() {
  'use workflow';
  return {
    made: await outcome(() =>
      describeException(new DOMException('Too late', 'TimeoutError')),
    ),
    after: await echo('still here'),
  };
}

/** So it does out of a step. */
export async function exceptionAsResult() {
  'use workflow';
  const made = await outcome(async () =>
    describeException(await makeException()),
  );
  return { made, after: await echo('still here') };
}
