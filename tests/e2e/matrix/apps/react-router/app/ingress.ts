import type { AdapterOptions } from 'workflow-studio';

/** The routes that use it are closed, unless the server starts with `INGRESS=on`. */
export const ingress: AdapterOptions = {
  mode: process.env.INGRESS === 'on' ? 'proxy-trigger' : 'passthrough',
};
