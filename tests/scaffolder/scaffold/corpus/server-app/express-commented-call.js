import express from 'express';

// const app = express();
const app = /* plain */ express(/* no options */);
app.listen(3000);
