const { fastify } = require('fastify');

const server = fastify({ trustProxy: true });

module.exports = server;
