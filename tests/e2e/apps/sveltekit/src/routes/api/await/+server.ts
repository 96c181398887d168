import { getRun } from 'workflow/api';
import { awaiting } from '../../../workflows/awaiting';

export async function GET({ request }: { request: Request }) {
  const query = new URL(request.url).searchParams;
  return Response.json(
    await awaiting(() => getRun(query.get('id') ?? '').returnValue, query),
  );
}
