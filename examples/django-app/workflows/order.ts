import {
  FatalError,
  getStepMetadata,
  getWritable,
  RetryableError,
  sleep,
} from 'workflow';

export interface Order {
  customer: string;
  items: string[];
}

/** Prices the items side by side, takes the money, waits, and ships; tells about it in the run's stream. */
export async function fulfilOrder(order: Order) {
  'use workflow';

  const prices = await Promise.all(order.items.map((item) => priceOf(item)));
  const total = prices.reduce((sum, price) => sum + price, 0);
  await tell(`It costs ${total}.`);

  const payment = await charge(order.customer, total);
  await tell('It is paid.');

  // Nothing runs while a workflow sleeps, be it two seconds or thirty days.
  await sleep('2s');

  const parcel = await ship(order.customer, order.items);
  await tell('It is on its way.', true);
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

/** Writes to the run's stream, which the app passes on as server-sent events. */
async function tell(text: string, isLast = false) {
  'use step';

  const writer = getWritable<string>().getWriter();
  await writer.write(text);
  if (isLast) {
    await writer.close();
  } else {
    writer.releaseLock();
  }
}
