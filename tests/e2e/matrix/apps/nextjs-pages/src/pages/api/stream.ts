import type { NextApiRequest, NextApiResponse } from 'next';
import { getRun } from 'workflow/api';

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  const reader = getRun(String(request.query.id)).readable.getReader();
  response.setHeader('content-type', 'text/plain');
  // Else Next.js compresses, and so holds back what is small.
  response.setHeader('cache-control', 'no-transform');
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    response.write(part.value);
  }
  response.end();
}
