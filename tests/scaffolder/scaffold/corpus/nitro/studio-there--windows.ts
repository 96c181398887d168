import { defineConfig } from 'nitro';
import { withWorkflowStudioNitro } from 'workflow-studio/nitro';

export default withWorkflowStudioNitro(
    defineConfig({
        serverDir: './server',
        modules: ['workflow/nitro', './modules/a'],
    }),
);
