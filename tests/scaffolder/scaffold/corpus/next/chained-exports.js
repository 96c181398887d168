const config = {};
module.exports = exports = config;
