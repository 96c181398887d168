// Has the workflows that a file of tests starts run on the worker of the tests.
import { ENVIRONMENT } from './vitest-keys.mjs';

// By a name that cannot be read: the SDK's builder looks through this folder,
// also where there is no Vitest.
const vitest = 'vitest';
const { inject } = await import(/* @vite-ignore */ vitest);

Object.assign(process.env, inject(ENVIRONMENT));
