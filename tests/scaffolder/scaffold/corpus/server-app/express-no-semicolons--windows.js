import express from 'express'
import { orders } from './orders.js'

const app = express()

app.use('/orders', orders)

app.listen(3000)
