import type { APIRoute } from 'astro';
import { resumeHook } from 'workflow/api';

export const POST: APIRoute = async ({ request }) => {
  const { token, payload } = (await request.json()) as {
    token: string;
    payload: unknown;
  };
  await resumeHook(token, payload);
  return Response.json({ resumed: true });
};
