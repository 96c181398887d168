import adapter from '@sveltejs/adapter-auto'

const kit = {}
kit.adapter = adapter()
kit.alias = { '@': './src' }

const config = { kit }

export { config as default }
