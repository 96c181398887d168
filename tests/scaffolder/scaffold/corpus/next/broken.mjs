export default {
  a: [
};
