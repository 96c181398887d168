const a = {};
export = a;
