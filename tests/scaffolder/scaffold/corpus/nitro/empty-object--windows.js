export default defineNitroConfig({})
