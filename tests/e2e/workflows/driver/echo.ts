/** Answers with what it was asked. */
export default async ({ req }: { req: Request }) =>
  Response.json(
    {
      method: req.method,
      header: req.headers.get('x-zoo'),
      body: await req.text(),
    },
    { status: 203, headers: { 'x-echo': 'echo' } },
  );
