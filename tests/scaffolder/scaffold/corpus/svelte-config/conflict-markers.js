<<<<<<< HEAD
import adapter from '@sveltejs/adapter-auto';
=======
import adapter from '@sveltejs/adapter-static';
>>>>>>> pages

export default { kit: { adapter: adapter() } };
