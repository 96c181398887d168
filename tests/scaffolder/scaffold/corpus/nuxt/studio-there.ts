import { withWorkflowStudioNuxt } from 'workflow-studio/nuxt'

export default withWorkflowStudioNuxt(defineNuxtConfig({ modules: ['workflow/nuxt'] }))
