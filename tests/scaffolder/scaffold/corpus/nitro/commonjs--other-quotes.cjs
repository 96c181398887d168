module.exports = {
    preset: "node-server",
};
