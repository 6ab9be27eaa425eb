'use strict';
// The CommonJS entry point of the package; index.mjs exports the same names.
const { native } = require('./lib/native.cjs');
const { InvokeResult, LambedError, classes } = require('./lib/completions.cjs');
const { Gateway } = require('./lib/gateway.cjs');

module.exports = { Gateway, InvokeResult, LambedError, version: native.version, ...classes };
