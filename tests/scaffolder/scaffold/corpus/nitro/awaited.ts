import { defineConfig } from 'nitro'
import { secrets } from './secrets'

const values = await secrets()

export default defineConfig({ runtimeConfig: { apiKey: values.apiKey } })
