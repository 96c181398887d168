import { getRun, resumeHook, start } from 'workflow/api';
import { getWorld } from 'workflow/runtime';
import * as workflows from '../workflows/shapes';

/** What to measure: a kind of measurement, its size, and how long it may take. */
export type Order = {
  kind: keyof typeof KINDS;
  size: number;
  seconds: number;
  /** Counts the measurements; gives tokens and pauses that differ. */
  number: number;
};

/** Milliseconds, or runs per second, by name. */
type Figures = Record<string, number>;

type Workflow = keyof typeof workflows;

/** The World did not do what it was asked for, or not in time. */
export class Broken extends Error {
  constructor(
    message: string,
    readonly late = false,
  ) {
    super(message);
  }
}

const KINDS = {
  nothing: ({ seconds }: Order) => total('nothing', [], seconds, 'done'),
  sequential,
  parallel: ({ size, seconds }: Order) =>
    total('parallel', [size], seconds, (size * (size - 1)) / 2),
  fleet: (order: Order) => fleet(order, 'sequential', [3]),
  'waiting-fleet': (order: Order) => fleet(order, 'patient', [3, 500]),
  stream,
  start: starts,
  'return-value': returnValue,
  hook,
  'large-result': ({ size, seconds }: Order) =>
    total('payloads', [1, size], seconds, size),
  'ten-kilobytes': ({ size, seconds }: Order) =>
    total('payloads', [size, 10_000], seconds, size * 10_000),
};

/** The runs of one fleet that are being started at the same time. */
const LANES = 50;
const STARTS = 10;
/** How many steps the cost of one is taken from. */
const AROUND = 10;
/** Milliseconds in which a run ends that has nothing left to do. */
const SOON = 10;

export function measure(order: Order): Promise<Figures> {
  setClock();
  // Ends are known in whole milliseconds: who always began at the beginning of
  // one would never see less than one of a difference.
  waitUntil(performance.now() + portion(order.number));
  return KINDS[order.kind](order);
}

/** A part of one, another for each number, and spread evenly. */
function portion(number: number) {
  return (number * 0.618) % 1;
}

let offset = 0;

/**
 * Finds out what the time is, finer than in milliseconds, by waiting for the
 * next one. Worlds write the time of day into runs, so it must be comparable.
 */
function setClock() {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  offset = now - performance.now();
}

/** Timers would be late by more than what is waited for. */
function waitUntil(time: number) {
  while (performance.now() < time);
}

function clock() {
  return offset + performance.now();
}

async function sequential({ size, seconds }: Order): Promise<Figures> {
  const { figures, result } = await finished('sequential', [size], seconds);
  const times = result as number[];
  if (times.length !== size) {
    throw new Broken(`${times.length} steps ran and not ${size}`);
  }
  if (size < 2 * AROUND) return figures;
  return {
    ...figures,
    'early step': between(times, AROUND),
    'late step': between(times, size - AROUND / 2),
  };
}

/**
 * The median time from one step to the next, around a step: what grows with the
 * log shows in all of them, and a collection of garbage in one.
 */
function between(times: number[], middle: number) {
  const around = times.slice(middle - AROUND / 2 - 1, middle + AROUND / 2);
  const gaps = around.slice(1).map((time, n) => time - (around[n] ?? 0));
  gaps.sort((a, b) => a - b);
  const half = gaps.length / 2;
  return ((gaps[Math.ceil(half) - 1] ?? 0) + (gaps[Math.floor(half)] ?? 0)) / 2;
}

async function fleet(
  { size, seconds }: Order,
  workflow: Workflow,
  args: unknown[],
): Promise<Figures> {
  const deadline = clock() + seconds * 1000;
  const begun = clock();
  const runs: { id: string; at: number }[] = [];
  let left = size;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const at = clock();
      const { runId } = await start(
        workflows[workflow] as never,
        args as never,
      );
      runs.push({ id: runId, at });
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, size) }, lane));
  let last = begun;
  const took: number[] = [];
  // The last one first: what is asked before the end is work meanwhile.
  for (const { id, at } of runs.reverse()) {
    const { end } = await ended(id, deadline);
    last = Math.max(last, end);
    took.push(end - at);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.ceil(share * took.length) - 1] ?? 0;
  return {
    'runs per second': (size * 1000) / (last - begun),
    median: at(0.5),
    p99: at(0.99),
  };
}

async function stream({ size, seconds }: Order): Promise<Figures> {
  const at = clock();
  const run = await start(workflows.streaming, [size]);
  const reader = run.getReadable<string>().getReader();
  let first: number | undefined;
  let chunks = 0;
  const late = timer(seconds);
  try {
    while (true) {
      const next = await Promise.race([reader.read(), late.promise]);
      if (next.done) break;
      first ??= clock();
      if (!next.value.startsWith(`${chunks} `)) {
        throw new Broken(`chunk ${chunks} is ${next.value.slice(0, 20)}`);
      }
      chunks += 1;
    }
  } finally {
    late.clear();
  }
  const figures = { 'first chunk': (first ?? 0) - at, total: clock() - at };
  if (chunks !== size) throw new Broken(`${chunks} chunks came, not ${size}`);
  await pause(SOON);
  await ended(run.runId, at + seconds * 1000);
  return figures;
}

/** Starts runs one after the other, each when the one before it has ended. */
async function starts({ seconds }: Order): Promise<Figures> {
  const deadline = clock() + seconds * 1000;
  const ids: string[] = [];
  let sum = 0;
  for (let n = 0; n < STARTS; n += 1) {
    const at = clock();
    const { runId } = await start(workflows.nothing, []);
    sum += clock() - at;
    ids.push(runId);
    await pause(100);
  }
  for (const id of ids) await ended(id, deadline);
  return { returned: sum / STARTS };
}

/** The SDK looks for the end once a second: each run ends at another time. */
async function returnValue({ seconds, number }: Order): Promise<Figures> {
  const rest = 300 + Math.round(1000 * portion(number));
  const deadline = clock() + seconds * 1000;
  const { runId } = await start(workflows.resting, [rest]);
  const { known, end, result } = await ended(runId, deadline);
  if (result !== rest) throw new Broken(`the run returned ${result}`);
  return { 'after the end': Math.max(0, known - end) };
}

async function hook({ seconds, number }: Order): Promise<Figures> {
  const token = `bench ${process.pid} ${number}`;
  const deadline = clock() + seconds * 1000;
  const run = await start(workflows.waiting, [token]);
  while (!(await isThere(token))) {
    if (clock() > deadline) throw new Broken('the hook did not come', true);
    await pause(20);
  }
  // The delivery that made the hook ends after it.
  await pause(100);
  const at = clock();
  await resumeHook(token, 'go on');
  const resumed = clock();
  await pause(SOON);
  const { end } = await ended(run.runId, deadline);
  return { 'going on': end - at, returned: resumed - at };
}

async function isThere(token: string) {
  try {
    await getWorld().hooks.getByToken(token);
    return true;
  } catch {
    return false;
  }
}

async function total(
  workflow: Workflow,
  args: unknown[],
  seconds: number,
  expected: unknown,
): Promise<Figures> {
  const { figures, result } = await finished(workflow, args, seconds);
  if (result !== expected) {
    throw new Broken(`${workflow} returned ${result} and not ${expected}`);
  }
  return figures;
}

async function finished(workflow: Workflow, args: unknown[], seconds: number) {
  const at = clock();
  const { runId } = await start(workflows[workflow] as never, args as never);
  const returned = clock();
  const kind = JSON.stringify([workflow, args]);
  await pause(at + 1.2 * (lasted.get(kind) ?? 0) + SOON - clock());
  const { end, result } = await ended(runId, at + seconds * 1000);
  lasted.set(kind, end - at);
  return { figures: { total: end - at, start: returned - at }, result };
}

/**
 * How long the last run of a kind took. Who asks before the end has the SDK
 * wait for a second, which is when what is measured next would begin: after a
 * long pause on Worlds without an answer that waits, and at once on ours.
 */
const lasted = new Map<string, number>();

/**
 * Waits for the end of a run as callers do, and returns when that was by the
 * run's own record of it.
 */
async function ended(runId: string, deadline: number) {
  const late = timer((deadline - clock()) / 1000);
  try {
    const result: unknown = await Promise.race([
      getRun(runId).returnValue,
      late.promise,
    ]);
    const known = clock();
    const run = await getWorld().runs.get(runId, { resolveData: 'none' });
    // It is in whole milliseconds; on average half of one is cut off.
    return { end: Number(run.completedAt) + 0.5, known, result };
  } finally {
    late.clear();
  }
}

function timer(seconds: number) {
  let clear = () => {};
  const promise = new Promise<never>((_, reject) => {
    const late = new Broken('it takes too long', true);
    const timeout = setTimeout(() => reject(late), seconds * 1000);
    clear = () => clearTimeout(timeout);
  });
  return { promise, clear };
}

function pause(ms: number) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
