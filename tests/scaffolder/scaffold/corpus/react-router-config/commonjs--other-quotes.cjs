/** @type {import("@react-router/dev/config").Config} */
module.exports = {
  ssr: true,
  routeDiscovery: { mode: "initial" },
};
