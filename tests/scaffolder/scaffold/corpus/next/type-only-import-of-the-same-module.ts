import type { Options } from 'workflow/next';

export default {};
