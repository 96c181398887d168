export default async (phase, { defaultConfig }) => {
  const nextConfig = { ...defaultConfig };
  return nextConfig;
};
