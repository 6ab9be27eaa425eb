'use strict';
// `npm install`: builds the addon and the hosts for the node that runs this, unless they are there already. Needs cmake, a C++20
// compiler and the libraries that docs/getting-started-node.md names. Says what it does; stops with the reason when it cannot.
//
// Variables: LAMBED_NODE_HEADERS, the include/node folder of this node, where it is not found by itself;
// LAMBED_BUILD_JOBS, how many compilers run at once (default: one per processor).
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const key = `${process.platform}-${process.arch}-abi${process.versions.modules}`;
const destination = path.join(__dirname, 'native', key);

/**
 * @param {string} message
 * @returns {never}
 */
function stop(message) {
  console.error(`lambed: ${message}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28, ...options });
  if (result.error) return { ok: false, output: String(result.error.message) };
  return { ok: result.status === 0, output: `${result.stdout}${result.stderr}` };
}

const needed =
  'It needs, on Debian and Ubuntu: apt-get install g++ cmake ninja-build pkg-config libsimdjson-dev nlohmann-json3-dev libzip-dev libsqlite3-dev libcurl4-openssl-dev ' +
  'libcli11-dev libfmt-dev libssl-dev libseccomp-dev libboost-dev; for Python functions libpython3-dev, for Ruby functions ruby.';

function mustRun(what, command, args) {
  const { ok, output } = run(command, args);
  if (!ok) stop(`${what} failed: ${command} ${args.join(' ')}\n${output.split('\n').slice(-60).join('\n')}\n${needed}`);
}

// ---- headers of the very node that runs: its libuv and V8 are what the addon and the host will meet

function versionOf(include) {
  const file = path.join(include, 'node_version.h');
  if (!fs.existsSync(file) || !fs.existsSync(path.join(include, 'node_api.h'))) return undefined;
  const text = fs.readFileSync(file, 'utf8');
  const number = (name) => new RegExp(`^#define ${name}\\s+(\\d+)`, 'm').exec(text)?.[1];
  return ['NODE_MAJOR_VERSION', 'NODE_MINOR_VERSION', 'NODE_PATCH_VERSION'].map(number).join('.');
}

/** @returns {{ place: string, temporary?: string }} */
function findHeaders() {
  const installed = path.join(path.dirname(fs.realpathSync(process.execPath)), '..', 'include', 'node');
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const places = [
    process.env.LAMBED_NODE_HEADERS,
    process.env.npm_config_nodedir && path.join(process.env.npm_config_nodedir, 'include', 'node'),
    installed,
    '/usr/include/node',
    '/usr/local/include/node',
    path.join(cache, 'node-gyp', process.versions.node, 'include', 'node'),
  ].filter(Boolean);
  for (const place of places) {
    if (versionOf(place) === process.versions.node) return { place: path.resolve(place) };
  }
  return fetchHeaders(places);
}

/**
 * The npm package node-<platform>-<arch> of the same version holds them.
 * @param {string[]} places
 * @returns {{ place: string, temporary: string }}
 */
function fetchHeaders(places) {
  const name = `node-${process.platform}-${process.arch}@${process.versions.node}`;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lambed-headers-'));
  console.log(`lambed: no headers of node ${process.versions.node} in ${places.join(', ')}: taking them from the package ${name}`);
  const npm = process.env.npm_execpath ? [process.execPath, [process.env.npm_execpath]] : ['npm', []];
  const packed = run(npm[0], [...npm[1], 'pack', '--silent', name], { cwd: folder });
  const archive = fs.readdirSync(folder).find((file) => file.endsWith('.tgz'));
  const unpacked = archive && run('tar', ['-xzf', archive, 'package/include'], { cwd: folder });
  const place = path.join(folder, 'package', 'include', 'node');
  if (versionOf(place) === process.versions.node) return { place, temporary: folder };
  fs.rmSync(folder, { recursive: true, force: true });
  return stop(
    `the headers of node ${process.versions.node} were not found in ${places.join(', ')}, nor in ${name} (${(unpacked ?? packed).output.trim()}). ` +
      'Install them (Debian and Ubuntu: libnode-dev, for their own nodejs), or name their folder in LAMBED_NODE_HEADERS.',
  );
}

// ---- build

function nodeAddonApi() {
  try {
    return path.dirname(require.resolve('node-addon-api/package.json', { paths: [root] }));
  } catch {
    return stop('the package node-addon-api is missing; run `npm install` without --omit');
  }
}

function build() {
  if (process.platform !== 'linux') stop(`lambed runs on Linux; this is ${process.platform}`);
  if (!run('cmake', ['--version']).ok) stop('cmake >= 3.25 was not found (Debian and Ubuntu: apt-get install cmake)');
  const headers = findHeaders();
  // As deep as the folders of CMake's presets: ccache then knows what a checkout's own build has compiled.
  const folder = path.join(root, 'build', key);
  const generator = run('ninja', ['--version']).ok ? 'Ninja' : 'Unix Makefiles';
  const jobs = process.env.LAMBED_BUILD_JOBS ?? String(os.cpus().length);
  console.log(`lambed: building for node ${process.versions.node} (${key}), some minutes`);
  try {
    mustRun('the configuration', 'cmake', [
      '-S', root, '-B', folder, '-G', generator, '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DLAMBED_BUILD_TESTS=OFF',
      '-DLAMBED_BUILD_EXAMPLES=OFF', '-DLAMBED_BUILD_BENCH=OFF', `-DLAMBED_NODE_ADDON_API=${nodeAddonApi()}`,
      `-DLAMBED_NODE_EXECUTABLE_HEADERS=${headers.place}`,
    ]);
    mustRun('the build', 'cmake', ['--build', folder, '-j', jobs, '--target', 'npm_package']);
  } finally {
    if (headers.temporary) fs.rmSync(headers.temporary, { recursive: true, force: true });
  }
  place(path.join(folder, 'lib'));
  fs.rmSync(folder, { recursive: true, force: true });
  if (fs.readdirSync(path.dirname(folder)).length === 0) fs.rmdirSync(path.dirname(folder));
}

// The addon, and beside it the hosts and the program for workers, where the core looks for them.
function place(built) {
  const hosts = fs.readdirSync(path.join(built, 'lambed')).filter((file) => /^liblambed_host_.*\.so$/.test(file));
  const files = [...hosts, 'lambed-worker', 'liblambed_worker.so'];
  // Line tables are for whoever builds a checkout. Where there is no strip, the files are only larger.
  run('strip', ['--strip-unneeded', path.join(built, 'lambed.node'), ...files.map((file) => path.join(built, 'lambed', file))]);
  fs.rmSync(destination, { recursive: true, force: true });
  fs.mkdirSync(path.join(destination, 'lambed'), { recursive: true });
  for (const file of files) fs.copyFileSync(path.join(built, 'lambed', file), path.join(destination, 'lambed', file));
  // Worker processes find there what runs inside a node.
  fs.mkdirSync(path.join(destination, 'lambed', 'node'));
  for (const file of hosts.filter((name) => name.startsWith('liblambed_host_nodejs'))) {
    fs.symlinkSync(path.join('..', file), path.join(destination, 'lambed', 'node', file));
  }
  // Last: while it is missing, nothing is there.
  fs.copyFileSync(path.join(built, 'lambed.node'), path.join(destination, 'lambed.node'));
  console.log(`lambed: built with hosts for ${hosts.map((file) => /host_([a-z]+)/.exec(file)[1]).join(', ')}`);
}

// `npm rebuild` is how one asks for a new build.
const isThere = fs.existsSync(path.join(destination, 'lambed.node'));
if (isThere && process.env.npm_command !== 'rebuild') console.log(`lambed: ${key} is there already`);
else build();
