module.exports = {};
module.exports = { a: 1 };
