<<<<<<< HEAD
export default {}
=======
