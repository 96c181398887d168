import express from 'express';
import { withWorkflowStudioExpress } from 'workflow-studio/express';

const app = withWorkflowStudioExpress(express());
app.listen(3000);
