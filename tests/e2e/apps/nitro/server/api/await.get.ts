import { getRun } from 'workflow/api';
import { awaiting } from '../../workflows/awaiting';

export default async ({ req }: { req: Request }) => {
  const query = new URL(req.url).searchParams;
  return awaiting(() => getRun(query.get('id') ?? '').returnValue, query);
};
