export default {
  modules: [
    // none yet
  ],
};
