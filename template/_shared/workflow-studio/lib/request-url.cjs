// The whole URL of a request of Node.js, as its caller wrote it. What a caller
// says about the host can change the host of that URL and nothing else.
'use strict';

const { isTrusted } = require('./proxies.cjs');

/** @typedef {import('../types').ConvertOptions} ConvertOptions */
/**
 * What a framework says that its own settings for proxies make of a request.
 *
 * @typedef {object} Origin
 * @property {string} protocol
 * @property {string} host
 */

/**
 * @typedef {object} Target
 * @property {string} [host]
 * @property {string} path With the query.
 */
/**
 * What a proxy says.
 *
 * @typedef {object} Said
 * @property {string} [protocol]
 * @property {string} [host]
 * @property {string} [port]
 */

// A name or an IPv4 address, or an IPv6 address in brackets; then maybe a port.
const HOST =
  /^(?<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>[0-9]{1,5}))?$/;
const ABSOLUTE = /^(?<scheme>https?):\/\/(?<host>[^/?#\\]*)(?<rest>.*)$/i;

/**
 * @param {any} req An IncomingMessage or Http2ServerRequest.
 * @param {ConvertOptions} [options]
 * @param {Origin} [origin]
 * @returns {string}
 */
function requestUrl(req, options = {}, origin = undefined) {
  const target = splitTarget(req.originalUrl ?? req.url ?? '/');
  const said = isTrustedRequest(req, options) ? forwarded(req.headers) : {};
  const protocol =
    httpProtocol(said.protocol) ??
    httpProtocol(origin?.protocol) ??
    ownProtocol(req);
  const named = req.headers[':authority'] ?? req.headers.host;
  const host =
    usableHost(withPort(said.host, said.port, protocol)) ??
    usableHost(origin?.host) ??
    usableHost(target.host) ??
    usableHost(withPort(named, said.port, protocol)) ??
    ownAddress(req);
  return new URL(`${protocol}://${host}${target.path}`).href;
}

/**
 * Splits what stands in the first line of a request. In front of it nothing is
 * parsed as a URL: `//elsewhere/path` is a path.
 *
 * @param {string} target
 * @returns {Target}
 */
function splitTarget(target) {
  const absolute = ABSOLUTE.exec(target)?.groups;
  const path = absolute ? absolute.rest : target === '*' ? '/' : target;
  return {
    host: absolute?.host,
    // A target has no fragment, so a # in it is a character like others.
    path: (path.startsWith('/') ? path : `/${path}`).replaceAll('#', '%23'),
  };
}

/**
 * @param {any} req
 * @param {ConvertOptions} options
 * @returns {boolean}
 */
function isTrustedRequest(req, { trustProxy }) {
  const address = req.socket?.remoteAddress;
  if (trustProxy !== undefined) {
    return isTrusted(address, trustProxy);
  }
  // Express: whom the app trusts is said by app.set('trust proxy', …).
  const express =
    typeof req.app?.get === 'function'
      ? req.app.get('trust proxy fn')
      : undefined;
  return (
    (typeof express === 'function' && express(address, 0) === true) ||
    isTrusted(address, undefined)
  );
}

/**
 * What the proxy in front of this app says: the last value of each header,
 * since those before it come from who knows where. `Forwarded` counts where
 * there is none of the others.
 *
 * @param {Record<string, string | string[] | undefined>} headers
 * @returns {Said}
 */
function forwarded(headers) {
  const said = {
    protocol: last(headers['x-forwarded-proto']),
    host: last(headers['x-forwarded-host']),
    port: last(headers['x-forwarded-port']),
  };
  if (said.protocol || said.host || said.port) {
    return said;
  }
  /** @type {Record<string, string>} */
  const pairs = {};
  for (const pair of (last(headers.forwarded) ?? '').split(';')) {
    const [name, ...value] = pair.split('=');
    pairs[name.trim().toLowerCase()] = value
      .join('=')
      .trim()
      .replace(/^"(.*)"$/, '$1');
  }
  return { protocol: pairs.proto, host: pairs.host };
}

/**
 * @param {string | string[] | undefined} value
 * @returns {string | undefined}
 */
function last(value) {
  return [value].flat().join(',').split(',').at(-1)?.trim() || undefined;
}

/**
 * Adds the port that a proxy names to a host that has none.
 *
 * @param {string | undefined} host
 * @param {string | undefined} port
 * @param {'http' | 'https'} protocol
 * @returns {string | undefined}
 */
function withPort(host, port, protocol) {
  const known = host && HOST.exec(host)?.groups;
  if (!known || known.port || !port || !/^[0-9]{1,5}$/.test(port)) {
    return host;
  }
  const usual = protocol === 'https' ? '443' : '80';
  return port === usual ? host : `${host}:${port}`;
}

/**
 * @param {string | undefined} host
 * @returns {string | undefined}
 */
function usableHost(host) {
  return host && HOST.test(host) && URL.canParse(`http://${host}`)
    ? host
    : undefined;
}

/**
 * @param {string | undefined} protocol
 * @returns {'http' | 'https' | undefined}
 */
function httpProtocol(protocol) {
  const name = protocol?.toLowerCase();
  return name === 'http' || name === 'https' ? name : undefined;
}

/**
 * @param {any} req
 * @returns {'http' | 'https'}
 */
function ownProtocol(req) {
  return req.socket?.encrypted ? 'https' : 'http';
}

/**
 * The address that the request came to, for a request that names no host.
 *
 * @param {any} req
 * @returns {string}
 */
function ownAddress(req) {
  const { localAddress, localPort } = req.socket ?? {};
  if (!localAddress) {
    return 'localhost';
  }
  const bare = localAddress.replace(/%.*$/, '').replace(/^::ffff:/i, '');
  const name = bare.includes(':') ? `[${bare}]` : bare;
  return localPort ? `${name}:${localPort}` : name;
}

module.exports = { isTrustedRequest, requestUrl };
