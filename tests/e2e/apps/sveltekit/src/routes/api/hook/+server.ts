import { resumeHook } from 'workflow/api';

export async function POST({ request }: { request: Request }) {
  const { token, payload } = (await request.json()) as {
    token: string;
    payload: unknown;
  };
  await resumeHook(token, payload);
  return Response.json({ resumed: true });
}
