import type { NitroConfig } from "nitro/types";

export default { serverDir: "./server", modules: ["./modules/a"] } as NitroConfig;
