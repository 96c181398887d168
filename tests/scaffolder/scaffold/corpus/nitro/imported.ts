import { config } from './x';
export default config;
