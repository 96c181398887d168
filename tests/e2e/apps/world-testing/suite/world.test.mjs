import { createTestSuite } from '@workflow/world-testing';

createTestSuite('workflow-studio/world-remote');
