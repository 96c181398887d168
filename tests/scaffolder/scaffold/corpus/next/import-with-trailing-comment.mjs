import a from './a.mjs' // plugins live there

export default a
