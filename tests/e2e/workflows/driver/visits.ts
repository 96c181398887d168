import { getHookByToken, resumeHook, type Run } from 'workflow/api';
import { checked } from '../hooks';

/** What a workflow is started with, and what the world outside does while it runs. */
export interface Visit {
  args?: (echo: string) => unknown[];
  outside?: (run: Run<unknown>) => Promise<unknown>;
}

/** Repeats an action that fails while the run is not there yet. */
async function soon<T>(action: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 200_000; ;) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const resume = (token: string, payload: unknown) =>
  soon(() => resumeHook(token, payload));

async function read(stream: ReadableStream, limit = Infinity) {
  const chunks: unknown[] = [];
  const reader = stream.getReader();
  while (chunks.length < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
  }
  await reader.cancel();
  return chunks;
}

const announced = async (run: Run<unknown>) =>
  (await read(run.getReadable(), 1))[0] as string;

async function call(url: string, init: RequestInit = {}) {
  const answer = await soon(async () => {
    const response = await fetch(url, { method: 'POST', ...init });
    // The address is known a moment before the hook is.
    if (response.status === 404) throw new Error('There is no such webhook');
    return response;
  });
  return [answer.status, answer.headers.get('x-zoo'), await answer.text()];
}

const calling = (init?: RequestInit, query = ''): Visit => ({
  outside: async (run) => call((await announced(run)) + query, init),
});

const reading = (options?: { startIndex?: number }): Visit => ({
  outside: (run) => read(run.getReadable(options)),
});

export const visits: Record<string, Visit> = {
  typedArguments: {
    args: () => [
      new Map([[1, new Date(2)]]),
      3n,
      new Uint8Array([4]),
      undefined,
    ],
  },
  shadowingKeys: {
    args: () => [
      { toString: 'text', constructor: 'me', nested: { valueOf: 1 } },
    ],
  },
  largeArgument: { args: () => ['0123456789'.repeat(100_000)] },
  nullBytes: { args: () => ['an\0argument'] },
  fetchInTheWorkflow: { args: (echo) => [echo] },
  responseFromAStep: { args: (echo) => [echo] },
  abortSignals: { args: (echo) => [echo] },

  wokenUp: {
    outside: (run) =>
      soon(async () => {
        const { stoppedCount } = await run.wakeUp();
        if (stoppedCount === 0) throw new Error('Nothing sleeps yet');
        return stoppedCount;
      }),
  },
  cancelledAsleep: {
    outside: async (run) => {
      await soon(async () => {
        if ((await run.status) !== 'running') throw new Error('Not yet');
      });
      await run.cancel();
      return await run.status;
    },
  },

  streamOut: reading(),
  bytesOut: {
    outside: async (run) =>
      Buffer.concat((await read(run.getReadable())) as Uint8Array[]).length,
  },
  namedStreams: {
    outside: async (run) => [
      await read(run.getReadable({ namespace: 'logs' })),
      await read(run.getReadable({ namespace: 'metrics' })),
      await read(run.getReadable()),
    ],
  },
  streamFromTheMiddle: {
    outside: async (run) => [
      await read(run.getReadable()),
      await read(run.getReadable({ startIndex: 6 })),
      await read(run.getReadable({ startIndex: -2 })),
      await read(run.getReadable({ startIndex: -100 })),
      await run.getReadable().getTailIndex(),
    ],
  },
  streamHandedToSteps: reading(),
  writersAtOnce: {
    outside: async (run) => (await read(run.getReadable())).sort(),
  },
  streamIn: {
    args: () => [
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (let chunk = 1; chunk <= 5; chunk++) {
            controller.enqueue(new Uint8Array(1000).fill(chunk));
          }
          controller.close();
        },
      }),
    ],
  },
  streamReturned: {
    outside: async (run) => read((await run.returnValue) as ReadableStream),
  },

  hookOnce: {
    outside: (run) =>
      resume('zoo:once', {
        ok: true,
        at: new Date(1),
        bytes: new Uint8Array([0, 255]),
        text: 'null \0 byte',
      }).then(({ runId }) => runId === run.runId),
  },
  hookManyTimes: {
    outside: async () => {
      for (let value = 0; value < 5; value++) await resume('zoo:many', value);
    },
  },
  hookWhileBusy: {
    outside: async () => {
      await resume('zoo:busy', 'first');
      await resume('zoo:busy', 'second');
    },
  },
  hookWithoutAToken: {
    outside: async (run) => {
      await resume(await announced(run), 'found');
    },
  },
  hookWithMetadata: {
    outside: async () => {
      const { metadata } = await soon(() => getHookByToken('zoo:metadata'));
      await resume('zoo:metadata', 'read');
      return metadata;
    },
  },
  hookWithASchema: {
    outside: async () => {
      await soon(() => getHookByToken('zoo:schema'));
      const refused = await checked.resume('zoo:schema', {} as never).then(
        () => 'accepted',
        () => 'refused',
      );
      await checked.resume('zoo:schema', { name: '  Ada ' });
      return refused;
    },
  },
  hookDisposed: {
    outside: async () => {
      const first = await resume('zoo:again', 'first');
      await soon(async () => {
        const { hookId } = await getHookByToken('zoo:again');
        if (hookId === first.hookId) throw new Error('Still the first hook');
      });
      await resume('zoo:again', 'second');
    },
  },
  hookBeatsSleep: {
    outside: async () => {
      await resume('zoo:in-time', 'in time');
    },
  },
  twoHooks: {
    outside: async () => {
      await resume('zoo:right', 'right');
      await resume('zoo:left', 'left');
    },
  },

  webhookByDefault: calling(
    { body: '{"animal": "lion"}', headers: { 'x-zoo': 'keeper' } },
    '?cage=7&cage=8',
  ),
  webhookStatic: calling({ body: 'a parcel' }),
  webhookManual: calling({ body: 'hello' }),
  webhookManyTimes: {
    outside: async (run) => {
      const url = await announced(run);
      const answers: unknown[] = [];
      for (const body of ['one', 'two', 'three']) {
        answers.push(await call(url, { body }));
      }
      return answers;
    },
  },
  webhookBytes: calling({
    body: Uint8Array.from({ length: 256 }, (_, index) => index),
  }),
  webhookWithoutABody: calling({ method: 'PUT' }),
  webhookInTime: calling({ body: 'in time' }),
};
