import adapter from '@sveltejs/adapter-auto';

function kit() {
  return {
    adapter: adapter(),
    csrf: { checkOrigin: process.env.NODE_ENV === 'production' },
    version: { name: process.env.npm_package_version }
  };
}

export default { kit: kit() };
