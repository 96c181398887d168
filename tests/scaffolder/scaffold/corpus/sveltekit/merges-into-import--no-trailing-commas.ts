import { sveltekit } from '@sveltejs/kit/vite';
import {
  other
} from 'workflow/sveltekit';
export default { plugins: [sveltekit(), other] };
