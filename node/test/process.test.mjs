// The life of the process: an idle gateway keeps nothing alive, ending is clean whatever runs, Workers, AbortSignal.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Gateway } from 'lambed';
import { testGateway } from 'lambed/testing';
import { deedsOf, languages, program, run, runNode, temporaryFolder, until } from './support.mjs';

test('an idle process ends by itself, without close', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    import { deedsOf, languages } from ${JSON.stringify(new URL('support.mjs', import.meta.url))};
    const gateway = new Gateway({ log: () => {} });
    for (const { language } of languages) {
      await gateway.createFunction(deedsOf(language));
      await gateway.invoke(language, { do: 'echo', value: 1 });
    }
    process.exitCode = 7;`;
  const { status, signal, stderr } = await runNode(program(t, text));
  assert.deepEqual({ status, signal, stderr }, { status: 7, signal: null, stderr: '' });
});

test('an idle gateway does not end a process that has something to do', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    new Gateway();
    globalThis.gc?.();
    setTimeout(() => console.log('still there'), 300);`;
  const { status, stdout } = await runNode(program(t, text));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'still there\n' });
});

test('a call in flight keeps the process alive until it is answered', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    const gateway = new Gateway({ log: 'none' });
    const inline = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 500, "late"));';
    await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'index.handler', code: { inline } });
    gateway.invoke('f').then(({ payload }) => console.log(payload));`;
  const { status, stdout } = await runNode(program(t, text));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'late\n' });
});

// What a child does: begins calls, waits until they run, ends.
const ending = `
  import { Gateway } from 'lambed';
  import { deedsOf, languages } from ${JSON.stringify(new URL('support.mjs', import.meta.url))};
  const [deed, how] = process.argv.slice(2);
  const running = new Set();
  let allRun;
  const all = new Promise((resolve) => (allRun = resolve));
  const gateway = new Gateway({
    closeGrace: 500,
    log: ({ functionName, text }) => {
      if (/running/.test(text) && running.add(functionName).size === languages.length) allRun();
    },
  });
  for (const { language } of languages) {
    await gateway.createFunction(deedsOf(language, language, { timeout: 60 }));
    if (deed === 'echo') {
      await gateway.invoke(language, { do: 'echo' });
      for (let i = 0; i < 4; i += 1) (async () => { for (;;) await gateway.invoke(language, { do: 'echo', value: i }); })().catch(() => {});
    } else {
      gateway.invoke(language, { do: deed, seconds: 60 }).catch(() => {});
    }
  }
  if (deed !== 'echo') await all;
  process.on('exit', () => console.log('last words'));
  if (how === 'exit') process.exit(7);
  if (how === 'throw') setImmediate(() => { throw new Error('nobody catches this'); });
  if (how === 'close') gateway.close().then(() => (process.exitCode = 7));
  if (how === 'signal') process.kill(process.pid, 'SIGTERM');`;

describe('clean exit with calls in flight', () => {
  for (const deed of ['echo', 'spin', 'swallow', 'wait', 'native']) {
    for (const how of ['exit', 'throw', 'close', 'signal']) {
      test(`${deed}, ${how}`, async (t) => {
        const { status, signal, stdout, stderr } = await runNode(program(t, ending), [deed, how]);
        if (how === 'signal') {
          assert.equal(signal, 'SIGTERM', stderr);
          return;
        }
        assert.deepEqual({ status, signal, stdout }, { status: how === 'throw' ? 1 : 7, signal: null, stdout: 'last words\n' }, stderr);
        if (how === 'throw') assert.match(stderr, /nobody catches this/);
      });
    }
  }
});

test('Worker threads have gateways of their own, and may end or be ended', async () => {
  const text = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { Gateway } = await import(workerData.lambed);
    const { deedsOf, languages } = await import(workerData.support);
    const gateway = new Gateway({ log: 'none', closeGrace: 500 });
    const answers = [];
    for (const { language } of languages) {
      await gateway.createFunction(deedsOf(language, language, { timeout: 60 }));
      answers.push((await gateway.invoke(language, { do: 'echo', value: language })).payload);
    }
    if (workerData.spins) gateway.invoke('nodejs', { do: 'spin' });
    parentPort.postMessage(answers);`;
  const file = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const workerData = { lambed: import.meta.resolve('lambed'), support: new URL('support.mjs', import.meta.url).href };
  const begin = (spins) => {
    const worker = new Worker(file, { workerData: { ...workerData, spins } });
    const answers = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    const ended = new Promise((resolve) => worker.on('exit', resolve));
    return { worker, answers, ended };
  };
  const expected = languages.map(({ language }) => language);
  const first = [begin(false), begin(false)];
  for (const { answers, ended } of first) {
    assert.deepEqual(await answers, expected);
    assert.equal(await ended, 0);
  }
  const { worker, answers, ended } = begin(true);
  assert.deepEqual(await answers, expected);
  worker.terminate();
  assert.equal(await ended, 1);
  // The hosts go on for others.
  const last = begin(false);
  assert.deepEqual(await last.answers, expected);
  assert.equal(await last.ended, 0);
});

test('lambed that only worker threads use ends cleanly', async (t) => {
  const text = `
    import { Worker } from 'node:worker_threads';
    const source = 'const { Gateway } = require("lambed"); const g = new Gateway({ log: "none" });' +
      'g.createFunction({ name: "f", runtime: "nodejs20.x", handler: "i.handler", code: { inline: "exports.handler = async () => 1" } })' +
      '.then(() => g.invoke("f")).then((r) => console.log(r.payload));';
    for (let round = 0; round < 2; round += 1) {
      await new Promise((resolve) => new Worker(source, { eval: true }).on('exit', resolve));
    }`;
  const { status, signal, stdout, stderr } = await runNode(program(t, text));
  assert.deepEqual({ status, signal, stdout }, { status: 0, signal: null, stdout: '1\n1\n' }, stderr);
});

test('AbortSignal: the caller stops waiting, the function runs on', async (t) => {
  const gateway = testGateway(t);
  const inline = 'exports.handler = async (ms) => { await new Promise((r) => setTimeout(r, ms)); console.log("done"); return ms; };';
  await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'index.handler', timeout: 20, code: { inline } });
  await assert.rejects(gateway.invoke('f', 1, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal((await gateway.usage('f')).requests, 0);

  const controller = new AbortController();
  const waiting = gateway.invoke('f', 1000, { signal: controller.signal });
  controller.abort(new Error('no more patience'));
  await assert.rejects(waiting, /no more patience/);
  assert.equal(gateway.status().inFlight, 1);
  await until(() => /done/.test(gateway.logs('f').map(({ text }) => text).join('')), 'the function ends');
  await assert.rejects(gateway.invoke('f', 5000, { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  // A signal of a call that is over changes nothing.
  const late = new AbortController();
  assert.equal((await gateway.invoke('f', 1, { signal: late.signal })).payload, 1);
  late.abort();
  assert.equal((await gateway.invoke('f', 2)).payload, 2);
});

test('an aborted call does not keep the process alive', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    const gateway = new Gateway({ log: 'none' });
    const inline = 'exports.handler = () => new Promise((resolve) => setTimeout(resolve, 60000));';
    await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'index.handler', timeout: 90, code: { inline } });
    gateway.invoke('f', {}, { signal: AbortSignal.timeout(100) }).catch((error) => console.log(error.name));
    setTimeout(() => {}, 300);`;
  const { status, stdout, seconds } = await runNode(program(t, text));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'TimeoutError\n' });
  assert.ok(seconds < 30);
});

test("what a log callback throws is the application's uncaught exception, and no result is lost", async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    process.on('uncaughtException', (error) => console.log(error.message));
    let thrown = false;
    const gateway = new Gateway({ log: () => { if (!thrown) { thrown = true; throw new Error('of the callback'); } } });
    await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'i.handler', code: { inline: 'exports.handler = async () => 1' } });
    console.log((await gateway.invoke('f')).payload);`;
  const { status, stdout, stderr } = await runNode(program(t, text));
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['1', 'of the callback']);
});

test('a gateway that is forgotten is closed in the background', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    import { readdirSync } from 'node:fs';
    async function use() {
      const gateway = new Gateway({ log: 'none' });
      await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'i.handler', code: { inline: 'exports.handler = async () => 1' } });
      await gateway.invoke('f');
    }
    const threads = () => readdirSync('/proc/self/task').length;
    await use();
    const one = threads();
    for (let i = 0; i < 8; i += 1) { await use(); gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
    for (let i = 0; i < 500 && threads() > one + 6; i += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
    console.log(threads() <= one + 6);`;
  const file = program(t, text);
  const { status, stdout, stderr } = await run(process.execPath, ['--expose-gc', file]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'true\n' }, stderr);
});

test('nothing is left behind in the temporary folder', async (t) => {
  const text = `
    import { Gateway } from 'lambed';
    const gateway = new Gateway({ log: 'none' });
    await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'i.handler', code: { inline: 'exports.handler = async () => 1' } });
    await gateway.invoke('f');
    if (process.argv[2] === 'close') await gateway.close();
    if (process.argv[2] === 'exit') process.exit(0);`;
  for (const how of ['end', 'close', 'exit']) {
    const folder = temporaryFolder(t);
    const { status, stderr } = await runNode(program(t, text), [how], { env: { TMPDIR: folder } });
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(folder), [], how);
  }
});

test('a gateway of the test process itself still works after all that', async (t) => {
  const gateway = new Gateway({ log: 'none' });
  t.after(() => gateway.close());
  await gateway.createFunction(deedsOf('ruby'));
  assert.equal((await gateway.invoke('ruby', { do: 'echo', value: 1 })).payload, 1);
});
