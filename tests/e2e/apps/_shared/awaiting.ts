/** Await a run as an app does that plays with its stack traces. */
export async function awaiting(
  result: () => Promise<unknown>,
  query: URLSearchParams,
) {
  const { stackTraceLimit, prepareStackTrace } = Error;
  if (query.has('stackless')) Error.stackTraceLimit = 0;
  if (query.has('prepared')) {
    Error.prepareStackTrace = () => 'nothing to see here';
  }
  try {
    return { result: await result(), at: Date.now() };
  } finally {
    Object.assign(Error, { stackTraceLimit, prepareStackTrace });
  }
}
