// Isolation `process`: the package brings the program that workers are made of.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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

async function eventually(condition) {
  const end = Date.now() + 60_000; // long enough for a loaded machine
  while (!(await condition())) {
    assert.ok(Date.now() < end, 'it did not happen');
    await sleep(5);
  }
}

// For each launcher of this process: how many processes of workers there are below it.
function launchers() {
  const parents = new Map();
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      const [, name, parent] = /^\d+ \((.*)\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'));
      if (name !== 'lambed-images' && name !== 'mke2fs') parents.set(pid, parent);
      if (name === 'lambed-worker' && parent === String(process.pid)) found.push(pid);
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error; // it has ended meanwhile
    }
  }
  const below = (root) => [...parents].filter(([, parent]) => parent === root).reduce((sum, [pid]) => sum + 1 + below(pid), 0);
  return found.map(below);
}

// Looks at the clock every millisecond, and answers with the longest time in which it could not.
const ticks = `
import threading, time
longest, last = 0.0, None
def tick():
    global longest, last
    while True:
        now = time.monotonic()
        longest, last = max(longest, now - (last or now)), now
        time.sleep(0.001)
def handler(event, context):
    global longest, last
    if last is None: threading.Thread(target=tick, daemon=True).start()
    time.sleep(0.02)
    seen, longest = longest, 0.0
    return seen
`;

for (const freezeAfter of [10, 0]) {
  test(`a worker that idles is ${freezeAfter ? 'frozen' : 'not frozen when that is turned off'}`, async (t) => {
    const gateway = testGateway(t, { freezeAfter });
    await gateway.createFunction({ ...functions[0], code: { inline: ticks }, isolation: 'process' });
    await gateway.invoke('p');
    // A machine that is busy may hold the thread up once, but not each time.
    await eventually(async () => {
      await sleep(500); // longer than the limit that tells apart; there is nothing to see from outside
      const stoodStill = (await gateway.invoke('p')).payload > 0.4;
      return stoodStill === (freezeAfter > 0);
    });
  });
}

for (const isolation of ['process', 'in_process']) {
  test(`an environment that is too old takes no more calls (${isolation})`, async (t) => {
    const gateway = testGateway(t, { maxLifetime: 50 });
    await gateway.createFunction({ ...functions[0], isolation });
    assert.equal((await gateway.invoke('p')).payload[0], 1);
    await sleep(60);
    assert.equal((await gateway.invoke('p')).payload[0], 1);
  });
}

test('so many workers wait as are asked for', async (t) => {
  const { stdout } = spawnSync('npx', ['lambed', 'doctor'], { encoding: 'utf8' });
  if (!/^ {2}(root with cgroup v[12]|user namespaces) +works/m.test(stdout)) return t.skip('the sandbox of seccomp and Landlock only has no stock');
  const gateway = testGateway(t, { workerStock: 5 });
  await gateway.createFunction({ ...functions[0], isolation: 'process' });
  await gateway.invoke('p');
  await eventually(() => Math.max(...launchers()) >= 6);
});

test('a stock of none makes workers when they are needed', async (t) => {
  const gateway = testGateway(t, { workerStock: 0 });
  await gateway.createFunction({ ...functions[0], isolation: 'process' });
  await gateway.invoke('p');
  await gateway.deleteFunction('p');
  await eventually(() => Math.min(...launchers()) === 0);
});

test('strict isolation refuses what the machine cannot enforce', () => {
  const text = `
    import { Gateway } from 'lambed';
    const gateway = new Gateway({ log: 'none', requireStrictIsolation: true });
    const code = { inline: 'def handler(event, context): return "ran"' };
    for (const isolation of ['process', 'in_process']) {
      await gateway.createFunction({ name: isolation, runtime: 'python3.11', handler: 'app.handler', code, isolation });
      await gateway.invoke(isolation).then(({ payload }) => console.log(payload), ({ name, message }) => console.log(name, message));
    }
    await gateway.close();`;
  const env = { ...process.env, LAMBED_SANDBOX_LAYER: 'bare' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8', env });
  assert.equal(status, 0, stderr);
  const [refusal, ran] = stdout.split('\n');
  assert.match(refusal, /^HostUnavailable The strict isolation that is required cannot be had here\./);
  assert.match(refusal, /memory of the whole tree.*lambed doctor/);
  assert.equal(ran, 'ran');
});

for (const wrong of [{ workerStock: -1 }, { workerStock: 1.5 }, { freezeAfter: -1 }, { maxLifetime: '1' }, { requireStrictIsolation: 'yes' }]) {
  test(`${JSON.stringify(wrong)} is refused`, () => {
    assert.throws(() => new Gateway({ log: 'none', ...wrong }), { name: 'TypeError', message: new RegExp(Object.keys(wrong)[0]) });
  });
}
