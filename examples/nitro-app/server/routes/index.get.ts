import { defineHandler } from 'nitro';

export default defineHandler(
  () => 'POST an order to /api/orders, then GET /api/orders/<runId>.\n',
);
