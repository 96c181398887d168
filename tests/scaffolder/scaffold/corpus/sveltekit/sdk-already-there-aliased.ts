import { sveltekit } from '@sveltejs/kit/vite';
import { workflowPlugin as workflow } from 'workflow/sveltekit';
export default { plugins: [sveltekit(), workflow()] };
