export default function config() { return {}; }
config.flag = true;
