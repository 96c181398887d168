import createMDX from '@next/mdx';
import createNextIntlPlugin from 'next-intl/plugin';
import type { NextConfig } from 'next';

const withNextIntl = createNextIntlPlugin('./src/i18n/request.ts');
const withMDX = createMDX({ options: { remarkPlugins: [['remark-gfm']] } });

const config: NextConfig = { pageExtensions: ['ts', 'tsx', 'mdx'] };

export default withNextIntl(withMDX(config));
