// Errors of calls: classes in the shape of the AWS SDK's.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import * as lambed from 'lambed';
import { Gateway, LambedError, ResourceNotFoundException } from 'lambed';
import { testGateway } from 'lambed/testing';
import { app, program, runNode, temporaryFolder } from './support.mjs';

const node = { runtime: 'nodejs20.x', handler: 'index.handler', code: { inline: 'exports.handler = async (event) => event;' } };

test("every row of lambed's error table is a class, typed and exported", () => {
  const installed = path.join(app, 'node_modules/lambed');
  const { native } = createRequire(import.meta.url)(path.join(installed, 'node/lib/native.cjs'));
  const types = readFileSync(path.join(installed, 'node/index.d.cts'), 'utf8');
  assert.ok(native.errorTable.length > 20);
  for (const [name, status, type] of native.errorTable) {
    const error = new lambed[name]('why');
    assert.ok(error instanceof LambedError && error instanceof Error, name);
    assert.equal(error.name, name);
    assert.equal(error.message, 'why');
    assert.deepEqual(error.$metadata, { httpStatusCode: status });
    assert.equal(error.$fault, status < 500 ? 'client' : 'server');
    assert.equal(error.Type, type || undefined);
    assert.match(types, new RegExp(`class ${name} extends LambedError`));
  }
});

test('an error tells where the call was', async (t) => {
  const gateway = testGateway(t);
  async function whoCalls() {
    await gateway.invoke('nobody', {});
  }
  await assert.rejects(whoCalls(), (error) => {
    assert.ok(error instanceof ResourceNotFoundException);
    assert.match(error.message, /^Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody/);
    assert.match(error.stack, /whoCalls/);
    return true;
  });
});

test('errors of AWS, by name', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ name: 'f', ...node });
  const rejects = (promise, name) => assert.rejects(promise, { name });
  await rejects(gateway.createFunction({ name: 'f', ...node }), 'ResourceConflictException');
  await rejects(gateway.createFunction({ ...node, name: 'not a name' }), 'ValidationException');
  await rejects(gateway.createFunction({ name: 'g', ...node, timeout: 901 }), 'ValidationException');
  await rejects(gateway.getFunctionConfiguration('g'), 'ResourceNotFoundException');
  await rejects(gateway.deleteFunction('g'), 'ResourceNotFoundException');
  await rejects(gateway.invoke('f', 'x'.repeat(7_000_000)), 'RequestEntityTooLargeException');
});

test('a wrong argument is a TypeError that names it, and no unhandled rejection', async (t) => {
  const gateway = testGateway(t);
  const rejects = (promise, message) => assert.rejects(promise, (error) => error instanceof TypeError && message.test(error.message));
  await rejects(gateway.createFunction({ ...node }), /name must be a string/);
  await rejects(gateway.createFunction(), /must be an object/);
  await rejects(gateway.createFunction({ name: 'f', ...node, timeout: '3' }), /timeout must be an integer/);
  await rejects(gateway.createFunction({ name: 'f', ...node, code: 7 }), /code must be/);
  await rejects(gateway.createFunction({ name: 'f', ...node, environment: { A: 1 } }), /environment must be/);
  await rejects(gateway.invoke(7, {}), /must be a string/);
  await rejects(gateway.invoke('f', {}, { qualifier: 7 }), /qualifier must be a string/);
  await rejects(gateway.invoke('f', {}, { invocationType: 'Later' }), /invocationType must be/);
  await rejects(gateway.invoke('f', 1n), /BigInt/);
  await rejects(gateway.invokeRaw('f', 7), /payload must be/);
  assert.throws(() => new Gateway({ quotas: 'tiny' }), TypeError);
  assert.throws(() => new Gateway({ log: 'loud' }), TypeError);
});

test('a closed gateway says so', async () => {
  const gateway = new Gateway({ log: 'none' });
  await gateway.createFunction({ name: 'f', ...node });
  await gateway.close();
  await gateway.close();
  await assert.rejects(gateway.invoke('f', {}), { name: 'GatewayClosed', $fault: 'server' });
});

test('asyncDispose closes', async () => {
  const gateway = new Gateway({ log: 'none' });
  await gateway.createFunction({ name: 'f', ...node });
  await gateway[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  await assert.rejects(gateway.invoke('f', {}), { name: 'GatewayClosed' });
});

test('a package that was not built for this node says so', async (t) => {
  const folder = temporaryFolder(t);
  const installed = path.join(app, 'node_modules/lambed/node');
  cpSync(installed, folder, { recursive: true, filter: (file) => file !== path.join(installed, 'native') });
  mkdirSync(path.join(folder, 'native/linux-x64-abi1'), { recursive: true });
  const { status, stderr } = await runNode(path.join(folder, 'index.mjs'));
  assert.equal(status, 1);
  assert.match(stderr, /no addon for this node .* there is one for linux-x64-abi1\. Run `npm rebuild lambed/);
  assert.match(stderr, /ERR_LAMBED_NOT_BUILT/);
});

test('a language without interpreter is HostUnavailable, and tells what to do', async (t) => {
  const text = `
    import { Gateway, HostUnavailable } from 'lambed';
    const gateway = new Gateway({ log: 'none', hostOptions: { python: { interpreter: '/nowhere/python3' } } });
    await gateway.createFunction({ name: 'f', runtime: 'python3.11', handler: 'app.handler', code: { inline: 'def handler(e, c): return 1' } });
    try { await gateway.invoke('f'); } catch (error) { console.log(error instanceof HostUnavailable, error.$metadata.httpStatusCode, error.message); }`;
  const { stdout, stderr } = await runNode(program(t, text));
  assert.match(stdout, /^true 502 .*\/nowhere\/python3/, stderr);
});
