import a from 'next-compose'; import withTM from 'next-transpile-modules'
export default withTM(['ui'])(a({ trailingSlash: true }))
