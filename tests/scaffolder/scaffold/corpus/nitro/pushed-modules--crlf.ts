import { defineConfig } from 'nitro'

const modules = ['./modules/a']
if (process.env.TRACE) modules.push('./modules/trace')

export default defineConfig({ modules })
