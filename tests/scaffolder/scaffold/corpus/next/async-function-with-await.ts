import type { NextConfig } from 'next';
import { getRedirects } from './config/redirects';

export default async function config(): Promise<NextConfig> {
  const redirects = await getRedirects();
  return {
    async redirects() {
      return redirects;
    },
    images: {
      formats: ['image/avif', 'image/webp'],
    },
  };
}
