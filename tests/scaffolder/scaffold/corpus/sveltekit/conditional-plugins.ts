export default {
  plugins: process.env.CI ? [] : [a()],
};
