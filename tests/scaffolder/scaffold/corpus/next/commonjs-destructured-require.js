const { PHASE_DEVELOPMENT_SERVER } = require('next/constants')

module.exports = (phase) => ({ assetPrefix: phase === PHASE_DEVELOPMENT_SERVER ? '' : '/cdn' })
