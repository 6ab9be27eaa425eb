// Packs the package, installs it in an empty folder as its users do, and runs the tests of this folder there.
//
//   node node/test/run.mjs [TEST FILE...]
//
// Without files the matrix of languages (tests/matrix) runs too; LAMBED_MATRIX names the file for its results.
// LAMBED_TEST_PACKAGE=FOLDER runs them with the package that is installed in FOLDER already, for work on the tests.
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, '../..');
const temporary = mkdtempSync(path.join(tmpdir(), 'lambed-package-'));
const app = process.env.LAMBED_TEST_PACKAGE ?? path.join(temporary, 'app');

function must(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) throw error ?? new Error(`failed: ${command} ${args.join(' ')}`);
}

function install() {
  must('npm', ['pack', '--silent', '--pack-destination', temporary], { cwd: source });
  const tarball = readdirSync(temporary).find((file) => file.endsWith('.tgz'));
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "private": true }\n');
  const begin = performance.now();
  // The compiler's cache would take the temporary folder's name for a difference.
  const env = { ...process.env, CCACHE_BASEDIR: app, CCACHE_NOHASHDIR: '1' };
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error', '--foreground-scripts'];
  must('npm', ['install', ...quiet, path.join(temporary, tarball), 'typescript@5', `@types/node@${process.versions.node.split('.')[0]}`], { cwd: app, env });
  console.log(`npm install of the packed tarball: ${((performance.now() - begin) / 1000).toFixed(0)} s`);
}

function runMatrix() {
  const matrix = path.join(source, 'tests/matrix');
  const results = process.env.LAMBED_MATRIX ?? path.join(temporary, 'matrix.jsonl');
  const program = [process.execPath, path.join(matrix, 'node_context.mjs')];
  return spawnSync('python3', ['-B', path.join(matrix, 'run.py'), '--context', 'node', '--out', results, '--', ...program], { cwd: app, stdio: 'inherit' }).status === 0;
}

// How it ends, and what it has said.
function runFile(file) {
  const options = {
    cwd: app,
    maxBuffer: 1 << 28,
    // A test that hangs is a failure, not a longer run.
    timeout: 300_000,
    env: { ...process.env, LAMBED_TEST_APP: app, LAMBED_TEST_FUNCTIONS: path.join(source, 'tests/together/functions'), NODE_PATH: '' },
  };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--test-reporter=tap', '--test', path.join(app, 'test', file)], options, (error, stdout, stderr) => {
      resolve({ good: error === null, stdout, stderr });
    });
  });
}

async function runTests() {
  const copy = path.join(app, 'test');
  cpSync(here, copy, { recursive: true });
  const asked = process.argv.slice(2).map((file) => path.basename(file));
  const files = asked.length > 0 ? asked : readdirSync(copy).filter((file) => file.endsWith('.test.mjs')).sort().reverse();
  let passed = 0;
  let failed = 0;
  const waiting = [...files];
  async function runWaiting() {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const begin = performance.now();
      const { good, stdout, stderr } = await runFile(file);
      const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
      const bad = Math.max(count('fail') + count('cancelled'), good ? 0 : 1);
      passed += count('pass');
      failed += bad;
      console.log(`${bad === 0 ? 'ok    ' : 'FAILED'}  ${file}: ${count('pass')} passed, ${bad} failed (${((performance.now() - begin) / 1000).toFixed(0)} s)`);
      if (bad > 0) console.log(stdout, stderr);
    }
  }
  // They start processes and wait for them most of the time. The longest are the last in the alphabet.
  await Promise.all([runWaiting(), runWaiting()]);
  if (asked.length === 0) {
    const good = runMatrix();
    passed += good ? 1 : 0;
    failed += good ? 0 : 1;
  }
  // As tools/dev/tally.py reads it.
  console.log(`${passed} test cases out of ${passed + failed} passed`);
  if (failed > 0) console.log(`${failed} test cases out of ${passed + failed} failed`);
  return failed === 0 && passed > 0;
}

try {
  if (process.env.LAMBED_TEST_PACKAGE === undefined) install();
  process.exitCode = (await runTests()) ? 0 : 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
