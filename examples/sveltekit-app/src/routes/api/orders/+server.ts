import { json } from '@sveltejs/kit';
import { start } from 'workflow/api';
import { fulfilOrder, type Order } from '../../../workflows/order';
import type { RequestHandler } from './$types';

export const POST: RequestHandler = async ({ request }) => {
  const order = (await request.json()) as Order;
  const run = await start(fulfilOrder, [order]);
  return json({ runId: run.runId }, { status: 202 });
};
