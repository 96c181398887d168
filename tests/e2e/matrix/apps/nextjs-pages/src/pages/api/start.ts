import type { NextApiRequest, NextApiResponse } from 'next';
import { start } from 'workflow/api';
import { tour } from '../../workflows/tour';

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  const { runId } = await start(tour, request.body.args);
  response.json({ runId });
}
