import auto from '@sveltejs/adapter-auto';
import staticAdapter from '@sveltejs/adapter-static';

const isStatic = process.env.DOCKER === '1';

/** @type {import('@sveltejs/kit').Config} */
export default {
    kit: {
        adapter: isStatic ? staticAdapter({ fallback: '200.html' }) : auto(),
        prerender: { entries: isStatic ? ['*', '/sitemap.xml'] : ['*'] }
    }
};
