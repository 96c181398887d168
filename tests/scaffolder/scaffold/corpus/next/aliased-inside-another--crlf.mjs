import { withSentryConfig } from '@sentry/nextjs';
import { withWorkflow as wf } from 'workflow/next';

export default withSentryConfig(wf({ reactStrictMode: true }), { org: 'a' });
