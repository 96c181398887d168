import express from 'express';

const withWorkflowStudioExpress = (value) => value;
const app = withWorkflowStudioExpress(express());
app.listen(3000);
