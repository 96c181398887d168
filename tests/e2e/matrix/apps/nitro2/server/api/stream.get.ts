import { defineEventHandler, getQuery, sendStream } from 'h3';
import { getRun } from 'workflow/api';

export default defineEventHandler((event) =>
  sendStream(event, getRun(String(getQuery(event).id)).readable),
);
