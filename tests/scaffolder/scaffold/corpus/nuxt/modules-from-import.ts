import { modules } from './config/modules'

export default defineNuxtConfig({ modules })
