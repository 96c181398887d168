// import adapter from '@sveltejs/adapter-auto';
import adapter from '@sveltejs/adapter-static';

export default { kit: { adapter: adapter({ pages: 'build', fallback: undefined }) } };
