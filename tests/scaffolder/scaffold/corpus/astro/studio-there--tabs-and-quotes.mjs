import node from "@astrojs/node";
import { defineConfig } from "astro/config";
import { withWorkflowStudioAstro } from "workflow-studio/astro";
import { workflow } from "workflow/astro";

export default withWorkflowStudioAstro(
	defineConfig({
		adapter: node({ mode: "standalone" }),
		integrations: [workflow()],
	}),
);
