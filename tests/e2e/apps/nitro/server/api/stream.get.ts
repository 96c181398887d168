import { getRun } from 'workflow/api';

export default async ({ req }: { req: Request }) => {
  const query = new URL(req.url).searchParams;
  const run = getRun(query.get('id') ?? '');
  const limit = Number(query.get('limit') ?? Infinity);
  const chunks: unknown[] = [];
  const reader = run
    .getReadable({ startIndex: Number(query.get('from') ?? 0) })
    .getReader();
  while (chunks.length < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
  }
  await reader.cancel();
  return { chunks };
};
