import type { NextApiRequest, NextApiResponse } from 'next';
import { sendWebResponse } from 'workflow-studio';
import { proxyWebhookFromNext } from 'workflow-studio/next';
import { ingress } from '../../../../ingress';

// The body stays as it was sent.
export const config = { api: { bodyParser: false } };

export default async function handler(
  request: NextApiRequest,
  response: NextApiResponse,
) {
  const token = String(request.query.token);
  const answer = await proxyWebhookFromNext({ token, request }, ingress);
  await sendWebResponse(answer, response);
}
