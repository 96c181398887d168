import { Broken, measure, type Order } from '../measure';

/** Runs one shape once and answers with what it took. */
export default async ({ req }: { req: Request }) => {
  const order = (await req.json()) as Order;
  try {
    return { figures: await measure(order) };
  } catch (error) {
    const late = error instanceof Broken && error.late;
    return { problem: String(error), late };
  }
};
