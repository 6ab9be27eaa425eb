'use strict';
// Finds and loads the addon that `npm install` has built for the running node, once for each JavaScript thread.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// One build for each ABI: the same folder may serve several versions of node.
const key = `${process.platform}-${process.arch}-abi${process.versions.modules}`;
const folder = path.join(__dirname, '..', 'native', key);

function load() {
  const file = path.join(folder, 'lambed.node');
  if (!fs.existsSync(file)) {
    const there = fs.existsSync(path.dirname(folder)) ? fs.readdirSync(path.dirname(folder)).join(', ') : '';
    const message =
      `lambed has no addon for this node (${process.version}, ${key}); ${there ? `there is one for ${there}` : 'none was built'}. ` +
      'Run `npm rebuild lambed --foreground-scripts` with this node; docs/getting-started-node.md names what the build needs.';
    throw Object.assign(new Error(message), { code: 'ERR_LAMBED_NOT_BUILT' });
  }
  const loaded = { exports: {} };
  // DEEPBIND: node's executable exports libraries of its own (OpenSSL, zlib, since node 22 simdjson) under the names of those
  // that the addon is linked to, in other versions. The price: the addon does not see variables of the C and C++ libraries that
  // node's executable has a copy of (environ, std::cout), so it must not use them; tools.test.mjs checks that.
  const { RTLD_NOW, RTLD_DEEPBIND = 0 } = os.constants.dlopen;
  process.dlopen(loaded, file, RTLD_NOW | RTLD_DEEPBIND);
  return loaded.exports;
}

module.exports = { native: load(), key };
