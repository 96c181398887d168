import nextra from 'nextra'

const withNextra = nextra({
  contentDirBasePath: '/docs',
})

export default withNextra({
  output: 'standalone',
  // the docs live below the main site
  basePath: '/docs',
})
