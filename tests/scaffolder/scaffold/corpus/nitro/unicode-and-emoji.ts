import { defineConfig } from 'nitro'

// 🚀 Größe der Antworten beschränken
export default defineConfig({
  runtimeConfig: { title: 'Überblick — 概要 ✅' },
  modules: ['./modules/größe'],
})
