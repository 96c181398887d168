'use strict';
/**
 * A World without any I/O: what is left is what the Workflow SDK itself takes.
 *
 * Nothing is kept after the process, nothing is checked that the SDK does not
 * rely on, and every wake-up is delivered.
 */

const { createQueue } = require('./queue.cjs');
const { createStorage } = require('./storage.cjs');
const { createStreamer } = require('./streamer.cjs');

/** @type {Record<string, any> | undefined} */
let world;

/** Makes the one World of this process; the SDK asks for it more than once. */
function createWorld() {
  world ??= {
    specVersion: 3,
    streamFlushIntervalMs: 0,
    ...createStorage(),
    ...createQueue(),
    ...createStreamer(),
  };
  return world;
}

module.exports = { createWorld };
