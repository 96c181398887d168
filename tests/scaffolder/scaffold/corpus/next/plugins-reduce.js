const withBundleAnalyzer = require('@next/bundle-analyzer')({
  enabled: process.env.ANALYZE === 'true',
});
const withPWA = require('next-pwa')({ dest: 'public' });

/** @type {import('next').NextConfig} */
const nextConfig = {
  reactStrictMode: true,
  swcMinify: true,
};

const plugins = [withBundleAnalyzer, withPWA];

module.exports = () => plugins.reduce((config, plugin) => plugin(config), nextConfig);
