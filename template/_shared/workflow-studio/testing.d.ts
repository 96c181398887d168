/** What `start()` and `getRun()` of `workflow/api` return. */
export interface Run<T = unknown> {
  readonly runId: string;
  readonly returnValue: Promise<T>;
}

/** A run, or its id. */
export type AnyRun<T = unknown> = Run<T> | string;

export interface WaitOptions {
  /** Milliseconds to wait. Default: 30,000. Time that is skipped does not count. */
  timeout?: number;
}

/** A sleep, or the pause before the next attempt of a step, that was ended before its time. */
export interface SkippedTimer {
  timer: 'sleep' | 'retry';
  /** The id of the sleep or the step. */
  correlationId: string;
  /** How much time was skipped. */
  milliseconds: number;
}

/** What a run waits for. */
export interface Hook {
  hookId: string;
  runId: string;
  token: string;
  isWebhook?: boolean;
  metadata?: unknown;
}

/**
 * Waits until a run has ended, and returns what its workflow returned; throws
 * what the run's `returnValue` does if it failed.
 *
 * Whenever the run has nothing to do but wait for time, the sleep that would be
 * over first is ended, or the pause before the next attempt of a step. So do
 * those of runs that its code started, while it waits for them.
 */
export function waitForRun<T>(
  run: AnyRun<T>,
  options?: WaitOptions & {
    /** Default: true. Otherwise time is waited for. */
    skipSleeps?: boolean;
  },
): Promise<T>;

/**
 * Waits until a run has nothing to do but wait for time, and ends the sleep or
 * pause that would be over first.
 */
export function skipSleep(
  run: AnyRun,
  options?: WaitOptions,
): Promise<SkippedTimer>;

/** Waits until a run waits for a hook: any, or the one with this token. */
export function waitForHook(
  run: AnyRun,
  options?: WaitOptions & { token?: string },
): Promise<Hook>;

/** Waits until a run waits for a hook, and hands that a payload, a JSON value. */
export function resumeHook(
  run: AnyRun,
  payload?: unknown,
  options?: WaitOptions & { token?: string },
): Promise<void>;

export interface TestWorkerOptions {
  /** The app's folder. Default: the current directory. */
  cwd?: string;
  /** The command of Workflow Studio. Default: `STUDIO_COMMAND`, or `studio`. */
  command?: string;
  /** A file with variables for the workflows' code, one `NAME=value` a line. */
  envFile?: string;
}

/** A worker that lives as long as the tests. */
export interface TestWorker {
  readonly url: string;
  readonly apiKey: string;
  readonly deploymentId: string;
  /** The ids of the app's workflows. */
  readonly workflows: string[];
  /** The variables that have an app run its workflows on this worker. */
  readonly environment: Record<string, string>;
  /** Deploys the workflows as they are now. */
  deploy(): Promise<void>;
  /** Ends the worker and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a worker with the app's workflows, for test runners other than Vitest.
 * Set its `environment` before workflows are started.
 */
export function startTestWorker(
  options?: TestWorkerOptions,
): Promise<TestWorker>;
