import type { Config } from "@react-router/dev/config";

const future = { v8_middleware: true };

export default { ssr: true, future } satisfies Config;
