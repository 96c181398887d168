import type { NextConfig } from 'next';
import { withWorkflowStudioNext } from 'workflow-studio/next';
import { withWorkflow } from 'workflow/next';

const nextConfig: NextConfig = {};

export default withWorkflow(withWorkflowStudioNext(nextConfig));
