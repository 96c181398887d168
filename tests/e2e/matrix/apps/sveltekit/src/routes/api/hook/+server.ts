import { json } from '@sveltejs/kit';
import { resumeHook } from 'workflow/api';
import type { RequestHandler } from './$types';

export const POST: RequestHandler = async ({ request }) => {
  const { token, payload } = await request.json();
  await resumeHook(token, payload);
  return json({ resumed: true });
};
