const config = { modules: [] };
config.modules = ['a'];
export default config;
