// What becomes of events that are over: their configuration, and the table of dead letters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testGateway } from 'lambed/testing';

const queue = 'arn:aws:sqs:us-east-1:123456789012:q';
const arn = 'arn:aws:lambda:us-east-1:123456789012:function:f';
const node = { name: 'f', runtime: 'nodejs20.x', handler: 'index.handler' };
const echo = { inline: 'exports.handler = async (event) => event;' };
const failing = { inline: "exports.handler = async () => { throw new RangeError('boom'); };" };

async function until(condition) {
  const end = Date.now() + 30_000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, 'it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('events are configured by qualifier', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ ...node, code: echo });
  await gateway.publishVersion('f');
  const put = await gateway.putFunctionEventInvokeConfig({ function: 'f', maximumRetryAttempts: 0, onFailure: 'lambed:local' });
  const { lastModified, ...rest } = put;
  assert.deepEqual(rest, { functionArn: `${arn}:$LATEST`, maximumRetryAttempts: 0, onSuccess: '', onFailure: 'lambed:local' });
  assert.ok(lastModified instanceof Date && lastModified.getFullYear() >= 2024);
  const updated = await gateway.updateFunctionEventInvokeConfig({ function: 'f', maximumEventAge: 60, onSuccess: queue });
  assert.deepEqual(
    [updated.maximumRetryAttempts, updated.maximumEventAge, updated.onSuccess, updated.onFailure],
    [0, 60, queue, 'lambed:local'],
  );
  await gateway.putFunctionEventInvokeConfig({ function: 'f', qualifier: '1', maximumRetryAttempts: 1 });
  assert.equal((await gateway.getFunctionEventInvokeConfig('f', '1')).maximumRetryAttempts, 1);
  const all = await gateway.listFunctionEventInvokeConfigs('f');
  assert.deepEqual(all.map((each) => each.functionArn), [`${arn}:$LATEST`, `${arn}:1`]);
  await gateway.deleteFunctionEventInvokeConfig('f', '1');
  await assert.rejects(gateway.getFunctionEventInvokeConfig('f', '1'), { name: 'ResourceNotFoundException' });
  await assert.rejects(gateway.putFunctionEventInvokeConfig({ function: 'f', maximumRetryAttempts: 3 }), { name: 'ValidationException' });
  await assert.rejects(gateway.putFunctionEventInvokeConfig({ function: 'f', maximumRetryAttempts: '1' }), TypeError);
});

test('a function has a dead-letter target', async (t) => {
  const gateway = testGateway(t);
  assert.equal((await gateway.createFunction({ ...node, code: echo, deadLetterTarget: queue })).deadLetterTarget, queue);
  assert.equal((await gateway.updateFunctionConfiguration({ name: 'f', description: 'd' })).deadLetterTarget, queue);
  assert.equal((await gateway.updateFunctionConfiguration({ name: 'f', deadLetterTarget: '' })).deadLetterTarget, '');
  await assert.rejects(gateway.updateFunctionConfiguration({ name: 'f', deadLetterTarget: 'arn:aws:s3:::b' }), {
    name: 'InvalidParameterValueException',
  });
});

test('dead letters are listed, read, redriven and purged', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({ ...node, code: failing, deadLetterTarget: 'lambed:local' });
  await gateway.putFunctionEventInvokeConfig({ function: 'f', maximumRetryAttempts: 0 });
  assert.deepEqual(await gateway.listDeadLetters(), []);
  const { requestId } = await gateway.invoke('f', { n: 1 }, { invocationType: 'Event' });
  const [summary] = await until(async () => (await gateway.listDeadLetters()).length === 1 && gateway.listDeadLetters());
  assert.equal(summary.requestPayload, undefined);
  const letter = await gateway.getDeadLetter(summary.id);
  assert.deepEqual(
    [letter.kind, letter.functionName, letter.functionArn, letter.requestId, letter.condition, letter.errorMessage],
    ['DeadLetter', 'f', `${arn}:$LATEST`, requestId, 'RetriesExhausted', 'boom'],
  );
  assert.deepEqual(letter.requestPayload, { n: 1 });
  assert.equal(letter.responsePayload.errorType, 'RangeError');
  assert.ok(letter.stored >= letter.ended && letter.ended >= letter.accepted);
  assert.deepEqual(await gateway.listDeadLetters({ function: 'g' }), []);
  assert.deepEqual(await gateway.listDeadLetters({ after: summary.id }), []);

  await gateway.updateFunctionCode({ name: 'f', code: echo });
  assert.deepEqual(await gateway.redriveDeadLetters({ ids: [] }), { redriven: 0, failed: 0, failures: [] });
  assert.deepEqual(await gateway.redriveDeadLetters({ function: 'f' }), { redriven: 1, failed: 0, failures: [] });
  assert.deepEqual(await gateway.listDeadLetters(), []);
  const missing = await gateway.redriveDeadLetters({ ids: [summary.id] });
  assert.deepEqual(missing.failures, [{ id: summary.id, problem: `There is no dead letter ${summary.id}` }]);
  await assert.rejects(gateway.getDeadLetter(summary.id), { name: 'ResourceNotFoundException' });
  assert.equal(await gateway.purgeDeadLetters(), 0);
  assert.equal(await gateway.purgeDeadLetters({ ids: [] }), 0);
});
