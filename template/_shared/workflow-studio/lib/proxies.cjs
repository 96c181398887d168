// Which proxies are believed when they say how a caller addressed the app.
'use strict';

const { BlockList, isIP } = require('node:net');

const { WorkflowStudioConfigError } = require('./config-check.cjs');

/** @typedef {import('../types').TrustProxy} TrustProxy */

const VARIABLE = 'WORKFLOW_STUDIO_TRUSTED_PROXIES';

/** @type {Map<string, BlockList>} */
const parsed = new Map();

/**
 * Whether the server or proxy at this address is believed.
 *
 * @param {string | undefined} address The address that the connection comes
 *   from; a UNIX socket has none.
 * @param {TrustProxy | undefined} trust Left out, the environment decides.
 * @param {Record<string, string | undefined>} [env]
 * @returns {boolean}
 */
function isTrusted(address, trust, env = process.env) {
  if (typeof trust === 'boolean') {
    return trust;
  }
  if (typeof trust === 'function') {
    return trust(address ?? '') === true;
  }
  const networks =
    trust === undefined ? split(env[VARIABLE] ?? '') : [trust].flat();
  return networks.length > 0 && contains(networks, address ?? '');
}

/**
 * @param {string} text
 * @returns {string[]}
 */
function split(text) {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

/**
 * @param {string[]} networks
 * @param {string} address
 * @returns {boolean}
 */
function contains(networks, address) {
  // A link-local address names its interface, which is no part of a network.
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (!family) {
    return false;
  }
  const key = networks.join();
  let list = parsed.get(key);
  if (!list) {
    list = parse(networks);
    parsed.set(key, list);
  }
  return list.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * @param {string[]} networks
 * @returns {BlockList}
 */
function parse(networks) {
  const list = new BlockList();
  for (const network of networks) {
    const [base, prefix, ...rest] = network.split('/');
    const family = isIP(base);
    const bits = prefix === undefined ? undefined : wholeNumber(prefix);
    const widest = family === 6 ? 128 : 32;
    if (
      !family ||
      rest.length > 0 ||
      (prefix !== undefined && (bits === undefined || bits > widest))
    ) {
      throw new WorkflowStudioConfigError(
        VARIABLE,
        `holds ${JSON.stringify(network)}, which is neither an address nor a network`,
        'Write addresses and networks with commas between them, such as 10.0.0.0/8,::1.',
      );
    }
    list.addSubnet(base, bits ?? widest, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/**
 * @param {string} text
 * @returns {number | undefined}
 */
function wholeNumber(text) {
  return /^[0-9]{1,3}$/.test(text) ? Number(text) : undefined;
}

module.exports = { isTrusted };
