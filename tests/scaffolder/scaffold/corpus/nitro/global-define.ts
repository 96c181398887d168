//https://nitro.build/config
export default defineNitroConfig({
  srcDir: "server",
  imports: false
});
