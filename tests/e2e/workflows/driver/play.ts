import { start, type Run } from 'workflow/api';
import * as classes from '../classes';
import * as closures from '../closures';
import * as composition from '../composition';
import * as control from '../control';
import * as errors from '../errors';
import * as failures from '../failures';
import * as hooks from '../hooks';
import * as payloads from '../payloads';
import * as races from '../races';
import * as sleeping from '../sleeping';
import * as streams from '../streams';
import * as surroundings from '../surroundings';
import * as values from '../values';
import * as webhooks from '../webhooks';
import { describe, describeError } from './describe';
import { visits } from './visits';

const zoo: Record<string, unknown> = {
  ...classes,
  ...closures,
  ...composition,
  ...control,
  ...errors,
  ...failures,
  ...hooks,
  ...payloads,
  ...races,
  ...sleeping,
  ...streams,
  ...surroundings,
  ...values,
  ...webhooks,
};

/** Runs one workflow, does what the world outside does meanwhile, and says how both ended. */
export default async ({ req }: { req: Request }) => {
  const { workflow } = (await req.json()) as { workflow: string };
  const visit = visits[workflow] ?? {};
  const echo = new URL('/api/echo', req.url).href;
  const run: Run<unknown> = await start(
    zoo[workflow] as never,
    (visit.args?.(echo) ?? []) as never,
  );
  const [end, outside] = await Promise.all([
    ending(run),
    visit.outside?.(run).then(
      (value) => describe(value),
      (error) => describeError(error),
    ),
  ]);
  return { runId: run.runId, ...end, outside: outside ?? null };
};

async function ending(run: Run<unknown>) {
  try {
    const result = await run.returnValue;
    return { status: 'completed', result: describe(result) };
  } catch (error) {
    return { status: await run.status, error: describeError(error) };
  }
}
