import createMDX from '@next/mdx'
import createNextIntlPlugin from 'next-intl/plugin'

const withMDX = createMDX({ extension: /\.mdx?$/ })
const withNextIntl = createNextIntlPlugin('./src/i18n/request.ts')

export default withNextIntl(withMDX({ pageExtensions: ['ts', 'tsx', 'mdx'] }))
