// @ts-check

/**
 * @type {import('next').NextConfig}
 */
const nextConfig = {
  images: { remotePatterns: [{ protocol: "https", hostname: "example.com" }] },
};

export default nextConfig;
