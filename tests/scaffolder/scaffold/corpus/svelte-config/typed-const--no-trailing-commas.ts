import type { Config } from '@sveltejs/kit';
import autoAdapter from "@sveltejs/adapter-auto";

const config: Config = {
  kit: {
    adapter: autoAdapter(),
    typescript: { config: (tsconfig) => ({ ...tsconfig, include: [...tsconfig.include, '../scripts/**/*.ts'] }) }
  }
};

export default config;
