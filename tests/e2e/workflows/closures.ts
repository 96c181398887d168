async function call(action: (value: number) => Promise<number>, value: number) {
  'use step';
  return await action(value);
}

async function triple(value: number) {
  'use step';
  return value * 3;
}

async function outer(value: number) {
  'use step';
  return (await triple(value)) + 1;
}

/** A step inside a workflow sees the variables around it. */
export async function closure() {
  'use workflow';
  const factor = 7;
  const labels = ['a', 'b'];
  const scale = async (value: number) => {
    'use step';
    return `${labels.join()} ${value * factor}`;
  };
  return [await scale(1), await scale(6)];
}

/** A closure keeps the values it had when it was called. */
export async function closureInALoop() {
  'use workflow';
  const found: string[] = [];
  for (const animal of ['lion', 'bear']) {
    const shout = async () => {
      'use step';
      return animal.toUpperCase();
    };
    found.push(await shout());
  }
  return found;
}

/** A step that calls another step runs it as an ordinary function. */
export async function nestedSteps() {
  'use workflow';
  return await outer(13);
}

/** A step function is itself a value that a step can be given. */
export async function stepAsArgument() {
  'use workflow';
  return await call(triple, 14);
}

/** A closure with its variables is a value too. */
export async function closureAsArgument() {
  'use workflow';
  const offset = 1000;
  const shift = async (value: number) => {
    'use step';
    return value + offset;
  };
  return await call(shift, 1);
}

/** Steps may be the methods of an object. */
export async function objectOfSteps() {
  'use workflow';
  const tools = {
    async half(value: number) {
      'use step';
      return value / 2;
    },
    square: async (value: number) => {
      'use step';
      return value * value;
    },
  };
  return [await tools.half(9), await tools.square(9)];
}
