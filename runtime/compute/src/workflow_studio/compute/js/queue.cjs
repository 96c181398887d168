'use strict';
/**
 * Messages of the Workflow SDK's queues: how they are sent and handled.
 *
 * A message is opaque to the worker. It travels as CBOR in the `body` of an
 * envelope that has in clear what the worker needs to deliver it.
 */

const cbor = require('./cbor.cjs');

/**
 * @typedef {object} MessageMeta
 * @property {number} attempt 1 on the first delivery ever.
 * @property {string} queueName
 * @property {string} messageId
 */
/**
 * @typedef {(message: any, meta: MessageMeta) => Promise<void | { timeoutSeconds: number }>} MessageHandler
 * @typedef {(prefix: string, handler: MessageHandler) => (request: Request) => Promise<Response>} CreateQueueHandler
 */

/** What a message may hold that asks for nothing but a replay of its run. */
const WAKE_KEYS = Object.freeze(['runId', 'traceCarrier', 'requestedAt']);
const BAD_REQUEST = Object.freeze({ status: 400 });

/**
 * @param {Record<string, any>} params
 * @returns {Record<string, any>} A copy without the fields that are undefined.
 */
function defined(params) {
  return Object.fromEntries(
    Object.entries(params).filter(([, value]) => value !== undefined),
  );
}

/**
 * @param {string} queueName
 * @param {any} message
 * @param {any} options The SDK's queue options.
 * @param {string} [deploymentId] The sender's own deployment.
 * @returns {Record<string, any>} The envelope of `queue.publish`.
 */
function envelope(queueName, message, options, deploymentId) {
  const keys = Object.keys(defined(message));
  return defined({
    queueName,
    body: cbor.encode(message),
    runId: message.runId ?? message.workflowRunId,
    stepId: message.stepId,
    isWake:
      message.runId !== undefined &&
      keys.every((key) => WAKE_KEYS.includes(key)),
    isHealthCheck: message.__healthCheck === true,
    deploymentId:
      options?.deploymentId ?? message.runInput?.deploymentId ?? deploymentId,
    idempotencyKey: options?.idempotencyKey,
    delaySeconds: options?.delaySeconds,
    headers: options?.headers && defined(options.headers),
  });
}

/**
 * Make a handler of deliveries: a request whose body is a message.
 *
 * It answers 200 `{"ok":true}` when the message is handled, 200
 * `{"timeoutSeconds":n}` when it is to come again, 500 when the handler fails
 * and 400 when the request is no delivery for it.
 *
 * @type {CreateQueueHandler}
 */
const createQueueHandler = (prefix, handler) => async (request) => {
  const queueName = request.headers.get('x-vqs-queue-name');
  const messageId = request.headers.get('x-vqs-message-id');
  const attempt = Number(request.headers.get('x-vqs-message-attempt'));
  if (!queueName || !messageId || !Number.isInteger(attempt) || attempt < 1) {
    return Response.json({ error: 'Missing required headers' }, BAD_REQUEST);
  }
  if (!queueName.startsWith(prefix)) {
    return Response.json({ error: 'Unhandled queue' }, BAD_REQUEST);
  }
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length === 0) {
    return Response.json({ error: 'Missing request body' }, BAD_REQUEST);
  }
  try {
    const message = cbor.decode(body);
    const result = await handler(message, { attempt, queueName, messageId });
    const timeoutSeconds = result?.timeoutSeconds;
    if (typeof timeoutSeconds === 'number' && timeoutSeconds >= 0) {
      return Response.json({ timeoutSeconds });
    }
    return Response.json({ ok: true });
  } catch (error) {
    return new Response(String(error), { status: 500 });
  }
};

module.exports = { createQueueHandler, defined, envelope };
