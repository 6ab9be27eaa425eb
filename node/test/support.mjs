// What the tests share. They run in a folder in which the packed package is installed (run.mjs), from a copy of this folder.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

// tests/together/functions of the checkout: one program in three languages, event.do names the deed.
export const functions = process.env.LAMBED_TEST_FUNCTIONS;
// Where the package is installed.
export const app = process.env.LAMBED_TEST_APP;

export const languages = [
  { language: 'nodejs', runtime: 'nodejs20.x' },
  { language: 'python', runtime: 'python3.11' },
  { language: 'ruby', runtime: 'ruby3.2' },
];

export const deedsOf = (language, name = language, more = {}) => ({
  name,
  runtime: languages.find((each) => each.language === language).runtime,
  handler: 'app.handler',
  code: path.join(functions, language),
  ...more,
});

export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'lambed-npm-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// A program in the folder in which the package is installed, so that it finds it. Removed after the test.
export function program(t, text, extension = 'mjs') {
  const file = path.join(app, `program-${process.pid}-${programs++}.${extension}`);
  writeFileSync(file, text);
  t.after(() => rmSync(file, { force: true }));
  return file;
}
let programs = 0;

// Runs a command to its end: { status, signal, stdout, stderr, seconds }. One that does not end is killed, signal SIGKILL.
export function run(command, args, { input = '', env = {}, cwd = app, seconds = 60 } = {}) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env } });
    const patience = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    const result = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (result[stream] += text));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(patience);
      resolve({ ...result, status, signal, seconds: (performance.now() - begin) / 1000 });
    });
  });
}

export const runNode = (file, args = [], options = {}) => run(process.execPath, [file, ...args], options);

// Polls until the condition holds.
export async function until(condition, what = String(condition), seconds = 30) {
  const end = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
