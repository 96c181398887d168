import adapter from '@sveltejs/adapter-node';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { withWorkflowStudioSvelteKit } from 'workflow-studio/sveltekit';
import { workflowPlugin } from 'workflow/sveltekit';

export default await withWorkflowStudioSvelteKit(
  defineConfig({
    plugins: [sveltekit({ adapter: adapter() }), workflowPlugin()],
  }),
);
