import {
  fetch as workflowFetch,
  getStepMetadata,
  getWorkflowMetadata,
  sleep,
} from 'workflow';

async function keep<T>(value: T) {
  'use step';
  return value;
}

async function inAStep() {
  'use step';
  const step = getStepMetadata();
  const run = getWorkflowMetadata();
  return {
    stepName: step.stepName,
    stepId: step.stepId.startsWith('step_'),
    started: step.stepStartedAt instanceof Date,
    attempt: step.attempt,
    workflowName: run.workflowName,
    runId: run.workflowRunId,
  };
}

async function stepId() {
  'use step';
  return getStepMetadata().stepId;
}

async function postDirectly(url: string) {
  'use step';
  return await fetch(url, { method: 'POST', body: 'from a step' });
}

async function aborted(url: string) {
  'use step';
  const controller = new AbortController();
  controller.abort();
  try {
    await fetch(url, { signal: controller.signal });
  } catch (error) {
    return (error as Error).name;
  }
}

async function timedOut() {
  'use step';
  const signal = AbortSignal.timeout(20);
  return await new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason.name));
  });
}

/** Workflow and step know their names, their run and when they began. */
export async function metadata() {
  'use workflow';
  const run = getWorkflowMetadata();
  const step = await inAStep();
  return {
    ...step,
    runId: step.runId === run.workflowRunId && run.workflowRunId.slice(0, 5),
    sameName: step.workflowName === run.workflowName,
    startedAt: run.workflowStartedAt instanceof Date,
    url: new URL(run.url).protocol,
  };
}

/** Each call of a step has an id of its own. */
export async function stepIds() {
  'use workflow';
  const ids = await Promise.all([stepId(), stepId(), stepId()]);
  return new Set(ids).size;
}

/** Random numbers, ids and the clock are the same at every replay. */
export async function seededRandomness() {
  'use workflow';
  const here = {
    number: Math.random(),
    id: crypto.randomUUID(),
    bytes: [...crypto.getRandomValues(new Uint8Array(8))],
    now: Date.now(),
    date: new Date().getTime(),
  };
  const kept = await keep(here);
  await sleep(100);
  await keep('once more');
  return JSON.stringify(kept) === JSON.stringify(here);
}

/** The Web's APIs that workflows have. */
export async function webGlobals() {
  'use workflow';
  const bytes = new TextEncoder().encode('Grüße');
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  const cloned = structuredClone({ map: new Map([[1, new Date(2)]]) });
  return await keep({
    text: new TextDecoder().decode(bytes),
    digest: new Uint8Array(digest).slice(0, 4),
    base64: btoa('zoo') + atob('em9v'),
    cloned: cloned.map.get(1)?.getTime(),
  });
}

/** What workflows do not have says so. */
export async function forbiddenGlobals() {
  'use workflow';
  const told: string[] = [];
  for (const action of [
    () => setTimeout(() => undefined, 1),
    () => fetch('http://localhost'),
  ]) {
    try {
      await action();
      told.push('allowed');
    } catch (error) {
      told.push((error as Error).message.split('\n')[0]);
    }
  }
  return told;
}

/** `fetch` from `workflow` is a step; its response is read in the workflow. */
export async function fetchInTheWorkflow(url: string) {
  'use workflow';
  const response = await workflowFetch(url, {
    method: 'POST',
    headers: { 'x-zoo': 'lion' },
    body: 'from the workflow',
  });
  return {
    status: response.status,
    ok: response.ok,
    header: response.headers.get('x-echo'),
    body: await response.json(),
  };
}

/** A step returns a `Response`; the workflow reads its body. */
export async function responseFromAStep(url: string) {
  'use workflow';
  const response = await postDirectly(url);
  return [response.status, await response.json()];
}

/** Steps have `AbortSignal`, before and during what they cancel. */
export async function abortSignals(url: string) {
  'use workflow';
  return [await aborted(url), await timedOut()];
}
