// The adapter is chosen in vite.config.ts.
export default {
	compilerOptions: { runes: true }
};
