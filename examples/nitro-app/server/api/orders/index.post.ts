import { defineHandler } from 'nitro';
import { start } from 'workflow/api';
import { fulfilOrder, type Order } from '../../../workflows/order';

export default defineHandler(async ({ req }) => {
  const order = (await req.json()) as Order;
  const run = await start(fulfilOrder, [order]);
  return Response.json({ runId: run.runId }, { status: 202 });
});
