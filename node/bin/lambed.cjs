#!/usr/bin/env node
'use strict';
// The `lambed` program inside this node, so that Node.js functions get its version.
const { native } = require('../lib/native.cjs');
require('../lib/completions.cjs').watchExit();

process.exit(native.runProgram(process.argv.slice(2)));
