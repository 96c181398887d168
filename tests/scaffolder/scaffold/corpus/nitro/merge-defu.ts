import { defu } from 'defu'
import { defineConfig } from 'nitro'
import shared from '@acme/nitro-config'

export default defineConfig(defu({ serverDir: './server' }, shared))
