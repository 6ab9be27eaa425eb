// Functions, versions, aliases, concurrency, kinds of code, options of invoke, logs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Gateway, InvokeResult } from 'lambed';
import { assertSucceeded, HandlerError, testGateway, testHandler } from 'lambed/testing';
import { temporaryFolder, until } from './support.mjs';

const node = { runtime: 'nodejs20.x', handler: 'index.handler' };
const answer = (text) => ({ inline: `exports.handler = async () => ${JSON.stringify(text)};` });

test('a function is created, listed, changed and deleted', async (t) => {
  const gateway = testGateway(t);
  const created = await gateway.createFunction({
    name: 'f', ...node, code: answer('one'), description: 'd', timeout: 7, memorySize: 256, environment: { MODE: '1' },
    tags: { team: 'blue' }, logFormat: 'JSON',
  });
  assert.equal(created.functionName, 'f');
  assert.equal(created.functionArn, 'arn:aws:lambda:us-east-1:123456789012:function:f');
  const { version, runtime, handler, description, timeout, memorySize, environment, logFormat, isolation, state } = created;
  assert.deepEqual(
    { version, runtime, handler, description, timeout, memorySize, environment, logFormat, isolation, state },
    { version: '$LATEST', ...node, description: 'd', timeout: 7, memorySize: 256, environment: { MODE: '1' }, logFormat: 'JSON', isolation: 'in_process', state: 'Active' },
  );
  assert.equal((await gateway.invoke('f')).payload, 'one');

  const updated = await gateway.updateFunctionConfiguration({ name: 'f', timeout: 9, revisionId: created.revisionId });
  assert.equal(updated.timeout, 9);
  assert.equal(updated.memorySize, 256);
  await assert.rejects(gateway.updateFunctionConfiguration({ name: 'f', timeout: 10, revisionId: created.revisionId }), {
    name: 'PreconditionFailedException', $metadata: { httpStatusCode: 412 },
  });
  await gateway.updateFunctionCode({ name: 'f', code: answer('two') });
  assert.equal((await gateway.invoke('f')).payload, 'two');
  assert.deepEqual((await gateway.listFunctions()).map((each) => each.functionName), ['f']);
  assert.equal((await gateway.getFunctionConfiguration('f')).timeout, 9);

  await gateway.deleteFunction('f');
  assert.deepEqual(await gateway.listFunctions(), []);
});

test('versions and aliases', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ name: 'f', ...node, code: answer('one') });
  assert.equal((await gateway.publishVersion('f')).version, '1');
  await gateway.updateFunctionCode({ name: 'f', code: answer('two') });
  assert.equal((await gateway.publishVersion({ name: 'f', description: 'second' })).version, '2');
  assert.deepEqual((await gateway.listVersions('f')).map((each) => each.version), ['$LATEST', '1', '2']);

  const alias = await gateway.createAlias({ function: 'f', alias: 'live', version: '1' });
  assert.equal(alias.functionVersion, '1');
  const first = await gateway.invoke('f', {}, { qualifier: 'live' });
  assert.deepEqual([first.payload, first.executedVersion], ['one', '1']);
  await gateway.updateAlias({ function: 'f', alias: 'live', version: '2', weights: { 1: 0.25 } });
  assert.deepEqual((await gateway.getAlias('f', 'live')).weights, { 1: 0.25 });
  await gateway.updateAlias({ function: 'f', alias: 'live', weights: {} });
  const second = await gateway.invoke('f:live', {});
  assert.deepEqual([second.payload, second.executedVersion], ['two', '2']);
  assert.deepEqual((await gateway.listAliases('f')).map((each) => each.name), ['live']);
  await gateway.deleteAlias('f', 'live');
  await assert.rejects(gateway.invoke('f:live'), { name: 'ResourceNotFoundException' });
});

test('reserved and provisioned concurrency', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ name: 'f', ...node, code: answer('one') });
  assert.equal(await gateway.getFunctionConcurrency('f'), undefined);
  await gateway.putFunctionConcurrency('f', 0);
  assert.equal(await gateway.getFunctionConcurrency('f'), 0);
  await assert.rejects(gateway.invoke('f'), (error) => {
    assert.equal(error.name, 'TooManyRequestsException');
    assert.equal(error.$metadata.httpStatusCode, 429);
    assert.equal(error.Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
    return true;
  });
  await gateway.deleteFunctionConcurrency('f');
  assert.equal((await gateway.invoke('f')).payload, 'one');
  await gateway.publishVersion('f');
  await gateway.putProvisionedConcurrency('f', '1', 2);
  await until(() => gateway.status().idle >= 3, 'two provisioned environments');
  const usage = await gateway.usage('f');
  assert.equal(usage.requests, 1);
  assert.ok(usage.throttles >= 1 && usage.gbSeconds > 0);
});

test("the account's concurrency", async (t) => {
  const gateway = testGateway(t, { accountConcurrency: 1 });
  const inline = 'exports.handler = (ms) => new Promise((resolve) => setTimeout(resolve, ms, "done"));';
  await gateway.createFunction({ name: 'f', ...node, code: { inline } });
  await gateway.createFunction({ name: 'g', ...node, code: { inline } });
  const first = gateway.invoke('f', 1500);
  await until(() => gateway.status().busy === 1, 'a handler that runs');
  await assert.rejects(gateway.invoke('g', 0), { name: 'TooManyRequestsException', Reason: 'ConcurrentInvocationLimitExceeded' });
  assert.equal((await first).payload, 'done');
  assert.equal((await gateway.invoke('g', 0)).payload, 'done');
  assert.throws(() => new Gateway({ log: 'none', accountConcurrency: 0 }), { name: 'TypeError', message: /accountConcurrency/ });
});

test('code from a folder, a file: URL, a zip, layers', async (t) => {
  const gateway = testGateway(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'index.mjs'), 'export const handler = async () => "from a folder";');
  mkdirSync(path.join(folder, 'layer/nodejs/node_modules/greeting'), { recursive: true });
  writeFileSync(path.join(folder, 'layer/nodejs/node_modules/greeting/index.js'), 'module.exports = "from a layer";');
  execFileSync('python3', ['-m', 'zipfile', '-c', 'code.zip', 'index.mjs'], { cwd: folder });

  const create = (name, code, more) => gateway.createFunction({ name, ...node, code, ...more });
  await create('folder', path.relative('.', folder));
  await create('url', pathToFileURL(folder));
  await create('zip', { zip: readFileSync(path.join(folder, 'code.zip')) });
  await create('buffer', { zip: new Uint8Array(readFileSync(path.join(folder, 'code.zip'))).buffer });
  for (const name of ['folder', 'url', 'zip', 'buffer']) {
    assert.equal((await gateway.invoke(name)).payload, 'from a folder', name);
  }
  await create('layers', { inline: 'exports.handler = async () => require("greeting");' }, { layers: [path.join(folder, 'layer')] });
  assert.equal((await gateway.invoke('layers')).payload, 'from a layer');
  await assert.rejects(create('bad', { zip: new Uint8Array([1, 2, 3]) }), { name: 'InvalidParameterValueException' });
});

test('an invocation tells what it cost; options reach the handler', async (t) => {
  const gateway = testGateway(t);
  const inline = `exports.handler = async (event, context) => {
      console.log('seen');
      return { event, client: context.clientContext, identity: context.identity, id: context.awsRequestId, trace: process.env._X_AMZN_TRACE_ID };
    };`;
  await gateway.createFunction({ name: 'f', ...node, code: { inline } });
  const result = await gateway.invoke('f', undefined, {
    logTail: true, clientContext: { custom: { a: 1 } }, cognitoIdentity: { cognitoIdentityId: 'i', cognitoIdentityPoolId: 'p' },
    traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793', requestId: '8476a536-e9f4-11e8-9739-2dfe598c3fcd',
  });
  assert.ok(result instanceof InvokeResult);
  assert.deepEqual(result.payload.event, {});
  assert.deepEqual(result.payload.client.custom, { a: 1 });
  assert.equal(result.payload.identity.cognitoIdentityId, 'i');
  assert.equal(result.payload.id, '8476a536-e9f4-11e8-9739-2dfe598c3fcd');
  assert.equal(result.requestId, result.payload.id);
  assert.match(result.payload.trace, /^Root=1-5759e988/);
  assert.match(result.logTail, /seen/);
  assert.match(result.logTail, /^REPORT RequestId: 8476a536/m);
  assert.equal(result.statusCode, 200);
  assert.ok(result.initDurationMs > 0 && result.durationMs > 0 && result.durationMs <= result.billedDurationMs);
  assert.equal(result.billedDurationMs % 100, 0);
  assert.equal(result.memorySizeMb, 128);
  assert.equal((await gateway.invoke('f')).initDurationMs, 0);
  assert.equal((await gateway.invoke('f', {}, { invocationType: 'DryRun' })).statusCode, 204);
});

test('invokeRaw passes bytes both ways', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ name: 'f', ...node, code: { inline: 'exports.handler = async (event) => event;' } });
  for (const payload of ['{"a":"ü"}', Buffer.from('{"a":"ü"}'), new Uint8Array(Buffer.from('xx{"a":"ü"}')).subarray(2)]) {
    const { payload: answered } = await gateway.invokeRaw('f', payload);
    assert.ok(Buffer.isBuffer(answered));
    assert.equal(answered.toString(), '{"a":"ü"}');
  }
  const large = `"${'y'.repeat(3_000_000)}"`;
  assert.equal((await gateway.invokeRaw('f', large)).payload.toString(), large);
  await assert.rejects(gateway.invokeRaw('f', '{"not json'), { name: 'InvalidRequestContentException' });
  await gateway.createFunction({
    name: 'bytes', runtime: 'python3.11', handler: 'app.handler', code: { inline: 'def handler(event, context):\n    return b"\\x00\\xff"\n' },
  });
  assert.deepEqual((await gateway.invoke('bytes')).payload, Buffer.from([0, 255]));
});

test("a log callback has a call's records before its promise resolves", async (t) => {
  const records = [];
  const gateway = new Gateway({ log: (record) => records.push(record) });
  t.after(() => gateway.close());
  await gateway.createFunction({ name: 'f', ...node, code: { inline: 'exports.handler = async () => { console.error("careful"); };' } });
  const { requestId } = await gateway.invoke('f');
  const own = records.filter((record) => record.requestId === requestId);
  assert.deepEqual(own.map((record) => record.kind), ['start', 'log', 'end', 'report']);
  assert.match(own[1].text, /careful/);
  assert.equal(own[1].functionName, 'f');
  assert.equal(own[1].logGroup, '/aws/lambda/f');
  assert.ok(own[1].time instanceof Date && Math.abs(own[1].time - Date.now()) < 60_000);
});

test('lambed/testing: a handler as a function', async (t) => {
  const handler = await testHandler(t, {
    runtime: 'python3.11', handler: 'app.handler',
    code: { inline: 'def handler(event, context):\n    return 10 / event["by"]\n' },
  });
  assert.equal(await handler({ by: 4 }), 2.5);
  await assert.rejects(handler({ by: 0 }), (error) => {
    assert.ok(error instanceof HandlerError);
    assert.equal(error.errorType, 'ZeroDivisionError');
    assert.match(error.message, /division by zero/);
    assert.ok(error.trace.length > 0);
    return true;
  });
  const gateway = testGateway(t);
  await gateway.createFunction({ name: 'f', ...node, code: answer('one') });
  assertSucceeded(await gateway.invoke('f'));
  assert.match(gateway.logs('f').map((record) => record.text).join('\n'), /START RequestId/);
});
