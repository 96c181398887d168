import { WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from '@workflow/serde';

/** A class that says how its instances travel. */
export class Point {
  constructor(
    public x: number,
    public y: number,
  ) {}

  static [WORKFLOW_SERIALIZE](point: Point) {
    return { x: point.x, y: point.y };
  }

  static [WORKFLOW_DESERIALIZE](data: { x: number; y: number }) {
    return new Point(data.x, data.y);
  }

  /** Runs where it is called. */
  length() {
    return Math.hypot(this.x, this.y);
  }

  /** Runs as a step, with a copy of the instance. */
  async moved(by: number): Promise<Point> {
    'use step';
    this.x += by;
    return this;
  }

  /** A step that needs no instance. */
  static async origin(): Promise<Point> {
    'use step';
    return new Point(0, 0);
  }
}

/** Holds types that need care of their own. */
export class Basket {
  constructor(
    public items: Map<string, bigint>,
    public corner: Point,
    public at: Date,
  ) {}

  static [WORKFLOW_SERIALIZE](basket: Basket) {
    return [basket.items, basket.corner, basket.at];
  }

  static [WORKFLOW_DESERIALIZE](data: [Map<string, bigint>, Point, Date]) {
    return new Basket(...data);
  }
}

async function doubled(point: Point) {
  'use step';
  return point instanceof Point ? new Point(point.x * 2, point.y * 2) : null;
}

async function filled(basket: Basket) {
  'use step';
  basket.items.set('pear', 2n ** 70n);
  return basket;
}

/** An instance goes into a step and comes out of it as an instance. */
export async function classInstance() {
  'use workflow';
  const point = await doubled(new Point(3, 4));
  return [point instanceof Point, point?.length()];
}

/** A method marked as a step gets a copy of its instance. */
export async function methodAsStep() {
  'use workflow';
  const here = new Point(1, 2);
  const there = await here.moved(10);
  return [here.x, there.x, there instanceof Point];
}

/** A static method can be a step. */
export async function staticMethodAsStep() {
  'use workflow';
  const origin = await Point.origin();
  return [origin.x, origin.y, origin.length()];
}

/** Instances within instances, within maps and arrays. */
export async function nestedInstances() {
  'use workflow';
  const basket = await filled(
    new Basket(new Map([['apple', 1n]]), new Point(6, 8), new Date(1e12)),
  );
  return [[...basket.items], basket.corner.length(), basket.at];
}

/** A run returns an instance to the app. */
export async function instanceReturned() {
  'use workflow';
  return new Point(5, 12);
}
