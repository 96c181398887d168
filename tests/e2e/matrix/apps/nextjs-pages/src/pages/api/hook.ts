import type { NextApiRequest, NextApiResponse } from 'next';
import { resumeHook } from 'workflow/api';

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  await resumeHook(request.body.token, request.body.payload);
  response.json({ resumed: true });
}
