// An app may live below a path of its server, such as /shop. The Workflow SDK
// calls the app's routes, and composes the URLs of webhooks, without it.
'use strict';

const BASE_PATH = Symbol.for('@workflow/core/basePath');

/**
 * @param {string} base
 */
function setBasePath(base) {
  const path = base.replace(/\/+$/, '');
  if (path === '') {
    Reflect.deleteProperty(globalThis, BASE_PATH);
    return;
  }
  Object.defineProperty(globalThis, BASE_PATH, {
    configurable: true,
    enumerable: true,
    get: () => path,
    // The SDK's handlers know of none and say so when they are loaded.
    set: () => {},
  });
}

module.exports = { setBasePath };
