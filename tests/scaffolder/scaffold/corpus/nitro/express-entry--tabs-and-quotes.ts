import { defineNitroConfig } from "nitro/config";

export default defineNitroConfig({
	routes: {
		"/**": { handler: "./src/index.ts", format: "node" },
	},
});
