import { FatalError, getStepMetadata, RetryableError, sleep } from 'workflow';

export interface Order {
  customer: string;
  items: string[];
}

/** Prices the items side by side, takes the money, waits, and ships. */
export async function fulfilOrder(order: Order) {
  'use workflow';

  const prices = await Promise.all(order.items.map((item) => priceOf(item)));
  const total = prices.reduce((sum, price) => sum + price, 0);

  const payment = await charge(order.customer, total);

  // Nothing runs while a workflow sleeps, be it two seconds or thirty days.
  await sleep('2s');

  const parcel = await ship(order.customer, order.items);
  return { customer: order.customer, total, payment, parcel };
}

async function priceOf(item: string) {
  'use step';

  if (item.trim() === '') {
    // No repetition will make this work, so the run fails at once.
    throw new FatalError('An item has no name.');
  }
  return item.length * 5;
}

async function charge(customer: string, amount: number) {
  'use step';

  const { attempt } = getStepMetadata();
  if (attempt === 1) {
    // An error in a step is followed by another attempt, here after a second.
    throw new RetryableError('The bank is busy.', { retryAfter: '1s' });
  }
  return { reference: `payment-of-${customer}`, amount, attempt };
}

async function ship(customer: string, items: string[]) {
  'use step';

  return `${items.length} item(s) for ${customer}`;
}
