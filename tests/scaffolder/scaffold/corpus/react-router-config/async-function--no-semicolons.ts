import type { Config } from '@react-router/dev/config'

export default async (): Promise<Config> => ({ ssr: true })
