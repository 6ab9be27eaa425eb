// The program, and the types.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { app, functions, run, temporaryFolder, until } from './support.mjs';

const lambed = path.join(app, 'node_modules/.bin/lambed');

test('npx lambed invoke runs functions of each language; Node.js ones have this node', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'index.mjs'), 'export const handler = async (event) => [event, process.version];');
  const { status, stdout, stderr } = await run(lambed, ['invoke', folder, '--event', '{"a":1}']);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: `[{"a":1},"${process.version}"]\n` }, stderr);
  assert.match(stderr, /^REPORT RequestId/m);
  for (const language of ['python', 'ruby']) {
    const answered = await run(lambed, ['invoke', path.join(functions, language), '--handler', 'app.handler', '-'], {
      input: JSON.stringify({ do: 'echo', value: language }),
    });
    assert.deepEqual({ status: answered.status, stdout: answered.stdout }, { status: 0, stdout: `"${language}"\n` }, answered.stderr);
  }
});

test("npx lambed has the program's exit status", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'index.js'), 'exports.handler = async (event) => { for (; event.spin;); throw new Error("why"); };');
  assert.equal((await run(lambed, ['invoke', folder])).status, 1);
  const slow = await run(lambed, ['invoke', folder, '--event', '{"spin":true}', '--timeout', '1']);
  assert.equal(slow.status, 1);
  assert.match(slow.stdout, /Sandbox\.Timedout/);
  assert.equal((await run(lambed, ['invoke', path.join(folder, 'nowhere')])).status, 2);
  assert.equal((await run(lambed, ['--version'])).stdout, 'lambed 0.1.0\n');
});

test('npx lambed ends by the signal that it gets, whatever runs', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'index.js'), 'exports.handler = async () => { console.log("running"); for (;;); };');
  const child = spawn(lambed, ['invoke', folder, '--timeout', '60']);
  t.after(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const ended = new Promise((resolve) => child.on('close', (status, signal) => resolve(signal)));
  await until(() => /running/.test(log), 'the function runs');
  child.kill('SIGINT');
  assert.equal(await ended, 'SIGINT');
});

test('npx lambed doctor finds every language', async () => {
  const { status, stdout } = await run(lambed, ['doctor']);
  for (const language of ['python', 'nodejs', 'ruby']) assert.match(stdout, new RegExp(`^ +${language} +ok`, 'm'));
  assert.ok(stdout.includes(process.versions.node));
  assert.equal(status, 0);
});

test('the addon uses no variable of the C and C++ libraries of which node has a copy of its own', async () => {
  // It is loaded RTLD_DEEPBIND (lib/native.cjs): it would see another std::cout than the one that works.
  const addon = path.join(app, `node_modules/lambed/node/native/${process.platform}-${process.arch}-abi${process.versions.modules}/lambed.node`);
  const { status, stdout } = await run('nm', ['-D', '-C', '--undefined-only', addon]);
  assert.equal(status, 0);
  assert.match(stdout, / uv_loop_init$/m);
  assert.deepEqual(stdout.match(/ (std::(cin|cout|cerr|clog)|_*environ|__timezone|__tzname)(@.*)?$/gm), null);
});

const sample = `
const gateway = new Gateway({ quotas: 'current', log: (record: LogRecord) => void record.text.length });
async function main(): Promise<void> {
  const created = await gateway.createFunction({ name: 'f', runtime: 'python3.11', handler: 'app.handler', code: { inline: '' }, timeout: 3 });
  const arn: string = created.functionArn;
  const result = await gateway.invoke<{ total: number }>('f', { arn }, { qualifier: 'live', logTail: true, signal: AbortSignal.timeout(10) });
  const total: number = result.payload.total;
  const error: 'Unhandled' | undefined = result.functionError;
  const raw: Buffer = (await gateway.invokeRaw('f', new Uint8Array(2))).payload;
  try {
    await gateway.updateAlias({ function: 'f', alias: 'live', weights: {} });
  } catch (caught) {
    if (caught instanceof TooManyRequestsException) {
      const name: 'TooManyRequestsException' = caught.name;
      console.log(name, caught.$metadata.httpStatusCode + 1, caught.Reason?.length);
    }
  }
  // @ts-expect-error: a timeout is a number
  await gateway.createFunction({ name: 'f', runtime: 'python3.11', handler: 'a.b', code: '.', timeout: '3' });
  // @ts-expect-error: no such method
  gateway.invokeLater('f');
  const handler = await testHandler<{ by: number }, number>(t, { runtime: 'ruby3.2', handler: 'app.handler', code: new URL('file:///f') });
  console.log(total, error, raw.byteLength, (await handler({ by: 2 })).toFixed(1), version.length);
  await gateway.close();
  await gateway[Symbol.asyncDispose]();
}
declare const t: import('node:test').TestContext;
void main();
`;

test("tsc finds nothing wrong with the package's own JavaScript", async () => {
  const packaged = path.join(app, 'node_modules/lambed/node');
  const files = ['index.cjs', 'install.cjs', 'testing.cjs', 'bin/lambed.cjs', ...readdirSync(path.join(packaged, 'lib')).map((file) => `lib/${file}`)];
  const { status, stdout } = await run(process.execPath, [
    path.join(app, 'node_modules/typescript/bin/tsc'), '--allowJs', '--checkJs', '--noEmit', '--maxNodeModuleJsDepth', '0', '--target', 'es2022',
    '--module', 'node16', '--lib', 'es2022,esnext.disposable', '--types', 'node', '--noUnusedLocals', '--noUnusedParameters',
    ...files.map((file) => path.join(packaged, file)),
  ]);
  assert.equal(status, 0, stdout);
});

test('tsc --strict accepts a sample in ESM and in CommonJS, and refuses what is wrong', async (t) => {
  const names = "{ Gateway, TooManyRequestsException, version, type LogRecord } from 'lambed'";
  for (const extension of ['mts', 'cts']) {
    const file = path.join(app, `sample.${extension}`);
    t.after(() => rmSync(file, { force: true }));
    writeFileSync(file, `import ${names};\nimport { testHandler } from 'lambed/testing';\n${sample}`);
    const tsc = path.join(app, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = await run(process.execPath, [
      tsc, '--strict', '--noEmit', '--target', 'es2022', '--module', 'node16', '--lib', 'es2022,esnext.disposable', '--types', 'node', file,
    ]);
    assert.equal(status, 0, stdout);
  }
});
