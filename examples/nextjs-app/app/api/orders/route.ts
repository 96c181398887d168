import { start } from 'workflow/api';
import { fulfilOrder, type Order } from '../../../workflows/order';

export async function POST(request: Request) {
  const order = (await request.json()) as Order;
  const run = await start(fulfilOrder, [order]);
  return Response.json({ runId: run.runId }, { status: 202 });
}
