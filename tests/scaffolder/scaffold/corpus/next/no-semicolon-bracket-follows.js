const a = require('a')
;[1].forEach(a)
module.exports = {}
