import { proxyWebhookFromNext } from 'workflow-studio/next';
import { ingress } from '../../../../../ingress';

export async function POST(
  request: Request,
  { params }: { params: Promise<{ token: string }> },
) {
  const { token } = await params;
  return proxyWebhookFromNext({ token, request }, ingress);
}
