const { PHASE_PRODUCTION_BUILD } = require('next/constants');

function nextConfig(phase) {
  return {
    distDir: phase === PHASE_PRODUCTION_BUILD ? '.next' : '.next-dev',
  };
}

module.exports = nextConfig;
