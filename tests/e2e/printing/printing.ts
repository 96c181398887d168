/** Functions that print. */

import { getStepMetadata, RetryableError, sleep } from 'workflow';

const MARK = 'plum-blossom';

/** Steps side by side, each with something to say all the while. */
export async function sideBySide(names: string[]) {
  'use workflow';
  console.log('begins with', names);
  await Promise.all(names.map((name) => chat(name, names.length)));
  console.log('ends');
}

let present = 0;

async function chat(name: string, others: number) {
  'use step';
  present += 1;
  while (present < others) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (let turn = 0; turn < 20; turn++) {
    console.log(`${name} ${turn}`);
    await new Promise((resolve) => setTimeout(resolve, turn % 3));
  }
  setTimeout(() => console.debug(`${name} is over`), 200);
}

/** A step that needs three attempts, and says at each how it goes. */
export async function stubborn() {
  'use workflow';
  console.info('tries');
  await attempt();
  console.info('did it');
}

async function attempt() {
  'use step';
  const { attempt } = getStepMetadata();
  console.warn(`attempt ${attempt}`);
  if (attempt < 3) {
    throw new RetryableError(`not at ${attempt}`, { retryAfter: 100 });
  }
}

/** A workflow function that prints between everything it awaits. */
export async function talkative() {
  'use workflow';
  console.log('one: begins');
  const branches = ['a', 'b', 'c'].map(async (name, place) => {
    console.log(`${name}: begins`);
    for (let turn = 0; turn < 3; turn++) {
      await pause((place * 7 + turn * 3) % 11);
      for (let hop = 0; hop < place * 50; hop++) await null;
      console.log(`${name}: ${turn}`);
    }
    return name;
  });
  await sleep('1s');
  console.log('two: slept');
  await Promise.all(branches);
  console.log('three: ends');
}

async function pause(ms: number) {
  'use step';
  await new Promise((resolve) => setTimeout(resolve, ms * 10));
}

/** More lines than anybody keeps, without a pause. */
export async function flood(count: number) {
  'use workflow';
  await pour(count);
  await chat('after the flood');
}

async function pour(count: number) {
  'use step';
  for (let line = 0; line < count; line++) console.log(`line ${line}`);
}

/** What nobody may read on a disk. */
export async function secretive() {
  'use workflow';
  console.log(`${MARK} in the workflow function`);
  await confide();
}

async function confide() {
  'use step';
  console.log(`${MARK} in the step`);
}

/** Steps one after the other, each with so many lines. */
export async function busy(steps: number, lines: number) {
  'use workflow';
  for (let step = 0; step < steps; step++) await work(step, lines);
}

async function work(step: number, lines: number) {
  'use step';
  for (let line = 0; line < lines; line++) {
    console.log(`step ${step}, line ${line}`);
  }
}
