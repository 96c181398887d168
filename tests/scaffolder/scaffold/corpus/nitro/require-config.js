const { defineNitroConfig } = require('nitropack/config')

module.exports = defineNitroConfig({
  srcDir: 'server',
  modules: ['./modules/a'],
})
