import { resumeHook } from 'workflow/api';
import type { Route } from './+types/hook';

export async function action({ request }: Route.ActionArgs) {
  const { token, payload } = (await request.json()) as {
    token: string;
    payload: unknown;
  };
  await resumeHook(token, payload);
  return Response.json({ resumed: true });
}
