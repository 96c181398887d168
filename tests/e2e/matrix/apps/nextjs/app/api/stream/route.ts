import { getRun } from 'workflow/api';

export function GET(request: Request) {
  const id = new URL(request.url).searchParams.get('id') ?? '';
  const { readable } = getRun(id);
  return new Response(readable, { headers: { 'content-type': 'text/plain' } });
}
