'use strict';

const express = require('express'), morgan = require('morgan');

const app = express();
app.use(morgan('dev'));
app.listen(3000);
