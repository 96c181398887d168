import type { Config } from '@react-router/dev/config';

export default {
	// one bundle per locale
	serverBundles: ({ branch }) => {
		const isAdmin = branch.some((route) => route.id.includes('admin'));
		return isAdmin ? 'admin' : 'public';
	},
	future: { v8_middleware: true },
} satisfies Config;
