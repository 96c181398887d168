import { resumeHook } from 'workflow/api';

export default async ({ req }: { req: Request }) => {
  const { token, payload } = (await req.json()) as {
    token: string;
    payload: unknown;
  };
  await resumeHook(token, payload);
  return { resumed: true };
};
