// The suite's own code uses this function of Node.js 22; we also run on Node.js 20.
Promise.withResolvers ??= function withResolvers() {
  /** @type {any} */
  const made = {};
  made.promise = new this((resolve, reject) => {
    Object.assign(made, { resolve, reject });
  });
  return made;
};
