import { withWorkflow } from 'workflow/next';
const a = withWorkflow({});
export default process.env.X ? a : withWorkflow({});
