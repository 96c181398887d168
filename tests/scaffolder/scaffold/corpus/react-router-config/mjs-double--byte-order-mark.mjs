export default {
  ssr: true,
  basename: "/app/",
};
