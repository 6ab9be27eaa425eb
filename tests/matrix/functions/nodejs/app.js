// What the matrix asks of a Node.js function: event.do names the deed.
const { execFileSync } = require('node:child_process');
const { readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const deeds = {
  version: () => process.versions.node,

  echo: ({ value }) => value,

  fail() {
    throw new RangeError('out of tea');
  },

  busy_loop() {
    console.log('running');
    for (;;);
  },

  swallow_loop() {
    console.log('running');
    for (;;) {
      try {
        for (;;);
      } catch {}
    }
  },

  async meet({ folder, number, guests }) {
    writeFileSync(path.join(folder, String(number)), '');
    while (readdirSync(folder).length < guests) await pause(5);
    return number;
  },

  child_environment: () => execFileSync('env').toString(),

  async wait() {
    console.log('running');
    for (;;) await pause(50);
  },

  fill({ megabytes }) {
    const kept = [];
    while (kept.length < megabytes) kept.push(new Array(1 << 17).fill(0.5));
    return kept.length;
  },

  change_folder() {
    process.chdir('/usr');
    return process.cwd();
  },

  leave: () => process.exit(3),
};

exports.handler = async (event) => deeds[event.do](event);
