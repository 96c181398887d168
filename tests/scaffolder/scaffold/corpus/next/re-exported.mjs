
export { default } from './base.mjs';
