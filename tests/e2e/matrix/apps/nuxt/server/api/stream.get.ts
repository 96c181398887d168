import { getRun } from 'workflow/api';

export default defineEventHandler((event) => {
  const run = getRun(String(getQuery(event).id));
  setResponseHeader(event, 'content-type', 'text/plain');
  return run.readable;
});
