import type { Config } from "@react-router/dev/config";

export default {
  future: {
    // https://reactrouter.com/upgrading/future
    v8_middleware: true, // for auth
    /* v8_splitRouteModules: true, */
  },
  ssr: true,
} satisfies Config;
