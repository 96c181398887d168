/*
 * Copyright 2024 Acme.
 */

/** @type {import('next').NextConfig} */
export default {};
