module.exports = require('workflow/next').withWorkflow({ poweredByHeader: false });
