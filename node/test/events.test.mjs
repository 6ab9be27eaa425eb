// What becomes of events: their configuration, and the table of dead letters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testGateway } from 'lambed/testing';

const arn = 'arn:aws:lambda:us-east-1:123456789012:function:f';


async function until(condition) {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, 'it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('an event is accepted and run', async (t) => {
  const gateway = testGateway(t);
  await gateway.createFunction({
    name: 'f', runtime: 'nodejs18.x', handler: 'index.handler', code: { inline: 'exports.handler = async (event) => event;' },
  });
  const accepted = await gateway.invoke('f', { n: 1 }, { invocationType: 'Event' });
  assert.equal(accepted.statusCode, 202);
  assert.equal(accepted.payload, undefined);
  await until(async () => (await gateway.eventStatus(accepted.requestId)).state === 'Succeeded');
  const status = await gateway.eventStatus(accepted.requestId);
  assert.equal(status.functionArn, `${arn}:$LATEST`);
  assert.equal(status.attempts, 1);
  assert.ok(status.ended >= status.accepted);
  assert.equal((await gateway.eventCounts()).succeeded, 1);
  await assert.rejects(gateway.eventStatus('nobody'), { name: 'ResourceNotFoundException' });
  await assert.rejects(gateway.invoke('f', {}, { invocationType: 'Later' }), TypeError);
  await assert.rejects(gateway.invoke('g', {}, { invocationType: 'Event' }), { name: 'ResourceNotFoundException' });
});

test('hooks hear of the end', async (t) => {
  const heard = [];
  const gateway = testGateway(t, {
    asyncRetryBase: 50,
    onEventSuccess: (outcome) => heard.push(['success', outcome]),
    onEventFailure: (outcome) => heard.push(['failure', outcome]),
  });
  await gateway.createFunction({
    name: 'f', runtime: 'nodejs18.x', handler: 'index.handler',
    code: { inline: 'exports.handler = async (event) => { if (event.bad) throw new RangeError("bad"); return event; };' },
  });
  await gateway.invoke('f', { n: 1 }, { invocationType: 'Event' });
  await until(() => heard.length === 1);
  const failing = await gateway.invoke('f', { bad: true }, { invocationType: 'Event' });
  await until(() => heard.length === 2);
  assert.equal(heard[0][0], 'success');
  assert.deepEqual(heard[0][1].payload, { n: 1 });
  assert.equal(heard[1][0], 'failure');
  assert.equal(heard[1][1].requestId, failing.requestId);
  assert.equal(heard[1][1].condition, 'RetriesExhausted');
  assert.equal(heard[1][1].attempts, 3);
  assert.equal(heard[1][1].payload.errorType, 'RangeError');
});
