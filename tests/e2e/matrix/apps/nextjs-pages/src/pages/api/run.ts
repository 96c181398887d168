import type { NextApiRequest, NextApiResponse } from 'next';
import { getRun } from 'workflow/api';

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  const run = getRun(String(request.query.id));
  const status = await run.status;
  const result = status === 'completed' ? await run.returnValue : undefined;
  response.json({ status, result });
}
