import express from 'express';

export const router = express.Router();
