// Isolation `process`: the package brings the program that workers are made of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testGateway } from 'lambed/testing';

const functions = [
  {
    name: 'p',
    runtime: 'python3.11',
    handler: 'app.handler',
    code: { inline: 'import os\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    if event == "end": os._exit(3)\n    return [count, os.getpid()]\n' },
  },
  {
    name: 'r',
    runtime: 'ruby3.2',
    handler: 'app.handler',
    code: { inline: '$count = 0\ndef handler(event:, context:)\n  $count += 1\n  exit!(3) if event == "end"\n  [$count, Process.pid]\nend\n' },
  },
];

for (const each of functions) {
  test(`a function for ${each.runtime} runs in a process of its own, and may end it`, async (t) => {
    const gateway = testGateway(t);
    await gateway.createFunction({ ...each, isolation: 'process' });
    const first = (await gateway.invoke(each.name, null)).payload;
    assert.equal(first[0], 1);
    assert.notEqual(first[1], process.pid);
    assert.deepEqual((await gateway.invoke(each.name, null)).payload, [2, first[1]]);
    const ended = (await gateway.invoke(each.name, 'end')).payload;
    assert.equal(ended.errorType, 'Runtime.ExitError');
    assert.match(ended.errorMessage, /exit status 3$/);
    assert.equal((await gateway.invoke(each.name, null)).payload[0], 1);
  });
}
