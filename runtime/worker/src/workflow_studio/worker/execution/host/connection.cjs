'use strict';
/**
 * The executor's end of the connection to the worker: frames over an
 * inherited socket, and World calls multiplexed over them. The protocol is in
 * `docs/reference/wire.md`.
 */

const { Socket } = require('node:net');

const HEADER_SIZE = 4;
const MAX_FRAME_SIZE = 64 * 1024 * 1024;
/** Up to here, to copy a frame takes less than to write it in two parts. */
const MAX_COPIED_SIZE = 64 * 1024;
/**
 * What a call stores comes back in the answer to another, beside other things:
 * if it filled a frame, nobody could load it any more.
 */
const MAX_CALL_SIZE = 32 * 1024 * 1024;

/**
 * @typedef {object} Protocol
 * @property {(value: unknown) => Uint8Array} encode
 * @property {(data: Uint8Array) => any} decode
 * @property {(wire: unknown) => Error} errorFromWire
 * @property {(message: string, fields?: Record<string, unknown>) => Error} worldError
 */

/** @typedef {(method: string, params: Record<string, any>, options: { signal?: AbortSignal }) => Promise<any>} WorldCall */

/** Cuts a stream of bytes into the frames it is made of. */
class FrameReader {
  constructor() {
    /** @type {Buffer[]} */
    this.parts = [];
    this.length = 0;
    /** The whole length of the frame being read; 0 if it is not known yet. */
    this.wanted = 0;
  }

  /**
   * @param {Buffer} part
   * @returns {Generator<Buffer>} The frames that are complete with it.
   */
  *push(part) {
    this.parts.push(part);
    this.length += part.length;
    while (this.length >= (this.wanted || HEADER_SIZE)) {
      // Parts are joined once per header and once per frame, so a large frame
      // that comes in many parts is not copied over and over.
      const bytes =
        this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
      this.parts = [bytes];
      if (this.wanted === 0) {
        const size = bytes.readUInt32BE(0);
        if (size > MAX_FRAME_SIZE) throw new Error(`a frame of ${size} bytes`);
        this.wanted = HEADER_SIZE + size;
        continue;
      }
      const frame = bytes.subarray(HEADER_SIZE, this.wanted);
      this.parts = [bytes.subarray(this.wanted)];
      this.length -= this.wanted;
      this.wanted = 0;
      yield frame;
    }
  }
}

/**
 * Open the connection.
 *
 * @param {number} fd The socket's file descriptor.
 * @param {Protocol} protocol
 * @param {(frame: any) => void} onFrame Gets every frame that does not answer a call.
 * @param {(reason: string) => void} onLost
 */
function openConnection(fd, protocol, onFrame, onLost) {
  const socket = new Socket({
    fd,
    readable: true,
    writable: true,
  });
  const reader = new FrameReader();
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  const calls = new Map();
  let lastId = 0;

  /** @param {any} frame */
  const receive = (frame) => {
    if (frame.t !== 'result' && frame.t !== 'refusal') return onFrame(frame);
    const call = calls.get(frame.id);
    calls.delete(frame.id);
    if (frame.t === 'result') call?.resolve(frame.value);
    else call?.reject(protocol.errorFromWire(frame.error));
  };

  socket.on('data', (part) => {
    try {
      const bytes = /** @type {Buffer} */ (part);
      for (const frame of reader.push(bytes)) receive(protocol.decode(frame));
    } catch (error) {
      onLost(`the worker sent something that is no frame: ${error}`);
    }
  });
  socket.on('error', (error) => onLost(String(error)));
  socket.on('close', () => onLost('the worker is gone'));

  /**
   * Send a frame.
   *
   * @param {Record<string, unknown>} frame
   * @param {number} [limit]
   * @returns {boolean} False if it is too large to be sent.
   */
  const send = (frame, limit = MAX_FRAME_SIZE) => {
    const body = protocol.encode(frame);
    if (body.length > limit) return false;
    const header = Buffer.alloc(HEADER_SIZE);
    header.writeUInt32BE(body.length);
    if (body.length <= MAX_COPIED_SIZE) {
      socket.write(Buffer.concat([header, body]));
      return true;
    }
    socket.cork();
    socket.write(header);
    socket.write(body);
    socket.uncork();
    return true;
  };

  /**
   * Call a method of the World.
   *
   * @param {string} method
   * @param {Record<string, any>} params
   * @param {string | undefined} delivery The delivery in whose course it is made.
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  const call = (method, params, delivery, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ++lastId;
      if (!send({ t: 'call', id, method, params, delivery }, MAX_CALL_SIZE)) {
        throw protocol.worldError(
          `${method} was called with more than ${MAX_CALL_SIZE} bytes of parameters.`,
          { status: 413 },
        );
      }
      const giveUp = () => {
        calls.delete(id);
        reject(signal?.reason);
      };
      const done = () => signal?.removeEventListener('abort', giveUp);
      signal?.addEventListener('abort', giveUp);
      calls.set(id, {
        resolve: (value) => (done(), resolve(value)),
        reject: (error) => (done(), reject(error)),
      });
    });

  return {
    call,
    send,
    /**
     * Send frames that are to come together.
     *
     * @param {Record<string, unknown>[]} frames
     */
    sendAll: (frames) => {
      socket.cork();
      for (const frame of frames) send(frame);
      socket.uncork();
    },
    /** @returns {Promise<void>} Settled when all that was sent is on its way. */
    flush: () => new Promise((resolve) => socket.write('', () => resolve())),
  };
}

module.exports = { MAX_FRAME_SIZE, openConnection };
