// One language inside node: the checks of the matrix, a line of JSON each (run.py tells what they mean).
//
// node node_context.mjs LANGUAGE, in a folder in which lambed is installed. Ends with calls in flight, with status 7.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const { Gateway } = createRequire(path.join(process.cwd(), 'package.json'))('lambed');
const here = path.dirname(fileURLToPath(import.meta.url));
const patience = 60; // seconds; whoever waits so long has failed
const guests = 8;
const values = [null, true, 0, -1.5, 'text', '\u{1F600} \u2028 \0 ü', [], {}, [1, [2, { a: null }]], 2 ** 53 - 1];

const language = process.argv[2];
const traits = JSON.parse(readFileSync(path.join(here, 'languages.json'), 'utf8'))[language];
const gateway = new Gateway({ log: 'memory' });

const say = (members) => console.log(JSON.stringify(members));

const create = (name, more) =>
  gateway.createFunction({ name, runtime: traits.runtime, handler: 'app.handler', code: path.join(here, 'functions', language), ...more });

const call = (deed, event = {}, name = 'main') => gateway.invoke(name, { do: deed, ...event });

async function answer(deed, event) {
  const result = await call(deed, event);
  assert.equal(result.functionError, undefined, JSON.stringify(result.payload));
  return result.payload;
}

async function until(what, condition) {
  const end = performance.now() + patience * 1000;
  while (!condition()) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function stopsAtItsTimeout(deed) {
  await create(deed, { timeout: 1 });
  const begin = performance.now();
  const result = await call(deed, {}, deed);
  const took = performance.now() - begin;
  assert.equal(result.payload.errorType, 'Sandbox.Timedout');
  assert.ok(took > 950 && took < 5000, `${took} ms`);
  // It really stops, and the next call is unharmed.
  await until('the loop ends', () => gateway.status().interrupting === 0);
  assert.equal(gateway.status().abandoned, 0);
  assert.equal(await answer('echo', { value: 1 }), 1);
}

const checks = {
  async echo() {
    for (const value of values) assert.deepEqual(await answer('echo', { value }), value);
  },

  async error_document() {
    const { statusCode, functionError, payload } = await call('fail');
    assert.deepEqual({ statusCode, functionError, errorType: payload.errorType }, { statusCode: 200, functionError: 'Unhandled', errorType: traits.error_type });
    assert.match(payload.errorMessage, /out of tea/);
  },

  busy_loop: () => stopsAtItsTimeout('busy_loop'),
  swallow_loop: () => stopsAtItsTimeout('swallow_loop'),

  async eight_at_once() {
    const folder = mkdtempSync(path.join(tmpdir(), 'lambed-matrix-'));
    try {
      const numbers = Array.from({ length: guests }, (_, number) => number);
      assert.deepEqual(await Promise.all(numbers.map((number) => answer('meet', { folder, number, guests }))), numbers);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },

  async child_environment() {
    process.env.SECRET_OF_THE_APPLICATION = '1';
    const seen = (await answer('child_environment')).split('\n');
    assert.ok(seen.includes('COLOUR=blue') && seen.includes('AWS_LAMBDA_FUNCTION_NAME=main'), seen.join(' '));
    assert.ok(!seen.some((line) => line.includes('SECRET_OF_THE_APPLICATION')));
    assert.equal(process.env.COLOUR, undefined);
  },

  memory_limit: async () => (await call('fill', { megabytes: 400 })).functionError !== undefined,

  async own_working_directory() {
    const before = process.cwd();
    const { functionError, payload } = await call('change_folder');
    assert.equal(process.cwd(), before);
    return functionError === undefined && payload === '/usr';
  },

  exit_ends_the_environment_only: async () =>
    /exit status 3/.test((await call('leave')).payload.errorMessage) && (await answer('echo', { value: 1 })) === 1,
};

await create('main', { timeout: patience, environment: { COLOUR: 'blue' } });
say({ check: 'start', process: process.versions.node, interpreter: await answer('version') });
for (const [name, run] of Object.entries(checks)) {
  try {
    const observed = (await run()) ?? null;
    say({ check: name, passed: true, observed });
  } catch (error) {
    say({ check: name, passed: false, detail: String(error.stack) });
  }
}
for (const [number, deed] of ['wait', 'busy_loop', 'wait'].entries()) {
  const name = `last-${number}`;
  await create(name, { timeout: patience });
  call(deed, {}, name).catch(() => {}); // GatewayClosed is what those calls get
  await until(`${deed} runs`, () => gateway.logs(name).some(({ text }) => text.includes('running')));
}
say({ check: 'ending' });
process.exit(7);
