import config from '@acme/astro-config';

export default config;
