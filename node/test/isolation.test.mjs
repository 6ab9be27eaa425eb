// Isolation `process`: the package brings the program that workers are made of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gateway } from 'lambed';
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
  {
    name: 'n',
    runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
    handler: 'index.handler',
    code: { inline: `let count = 0;\nexports.handler = async (event) => {\n  count += 1;\n  if (event === 'end') process.exit(3);\n  if (process.version !== '${process.version}') throw new Error(process.version);\n  return [count, process.pid];\n};\n` },
  },
];

const networks = {
  Vpcs: [{
    VpcId: 'vpc-1',
    Subnets: [{ SubnetId: 'subnet-1', CidrBlock: '10.123.8.0/24' }],
    SecurityGroups: [{ GroupId: 'sg-1', IpPermissionsEgress: [] }],
  }],
};

// Nothing is sent: a UDP socket that is connected only.
const caller = 'import socket\ndef handler(event, context):\n    try:\n        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.connect(("192.0.2.1", 9))\n    except OSError as error: return error.errno\n';

test('a function is put into a network, whose group lets nothing out', async (t) => {
  const gateway = testGateway(t, { networks });
  const vpcConfig = { subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] };
  const made = await gateway.createFunction({ ...functions[0], code: { inline: caller }, isolation: 'process', vpcConfig });
  assert.deepEqual(made.vpcConfig, { ...vpcConfig, ipv6AllowedForDualStack: false, vpcId: 'vpc-1' });
  assert.equal((await gateway.invoke('p')).payload, 1);
  await assert.rejects(gateway.updateFunctionConfiguration({ name: 'p', vpcConfig: { ...vpcConfig, subnetIds: ['subnet-2'] } }), {
    name: 'InvalidParameterValueException', message: /'subnet-2' does not exist/,
  });
  const out = await gateway.updateFunctionConfiguration({ name: 'p', vpcConfig: {} });
  assert.deepEqual(out.vpcConfig.subnetIds, []);
  for (const wrong of [{}, { Vpcs: [{ VpcId: 'v', Subnets: [{ SubnetId: 's', CidrBlock: '10.0.0.1/24' }] }] }]) {
    assert.throws(() => new Gateway({ networks: wrong }), { name: 'InvalidParameterValueException' });
  }
});

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
