const base = {};
export default process.env.CDN ? { ...base, assetPrefix: "/c" } : base;
