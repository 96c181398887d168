import { defineEventHandler, readBody } from 'h3';
import { resumeHook } from 'workflow/api';

export default defineEventHandler(async (event) => {
  const { token, payload } = await readBody<{
    token: string;
    payload: unknown;
  }>(event);
  await resumeHook(token, payload);
  return { resumed: true };
});
