'use strict';

const path = require('path');
const withBundleAnalyzer = require('@next/bundle-analyzer')({ enabled: process.env.ANALYZE === 'true' });

module.exports = withBundleAnalyzer({ outputFileTracingRoot: path.join(__dirname, '../../') });
