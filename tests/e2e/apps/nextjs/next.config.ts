import type { NextConfig } from 'next';
import { withWorkflow } from 'workflow/next';

const nextConfig: NextConfig = {
  poweredByHeader: false, // the team asked for this
};

export default withWorkflow(nextConfig);
