export default defineNitroConfig({
  // where the routes are
  serverDir: "server" // not src
})
