// The packages are in a folder above this one.
export default {
  serverExternalPackages: ['workflow-studio'],
  turbopack: { root: process.env.PACKAGES },
};
