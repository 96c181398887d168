import express from 'express';

const app = globalThis.app ?? express();
app.listen(3000);
