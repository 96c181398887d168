import { resumeHook } from 'workflow/api';

export async function POST(request: Request) {
  const { token, payload } = await request.json();
  await resumeHook(token, payload);
  return Response.json({ resumed: true });
}
