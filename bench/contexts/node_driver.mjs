// node node_driver.mjs LANGUAGE, in a folder in which lambed is installed: the Node.js side of bench/contexts/run.py, which
// tells how drivers are spoken to.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

const { Gateway } = createRequire(path.join(process.cwd(), 'package.json'))('lambed');
const event = { text: 'x'.repeat(89) };

const { runtime, source } = JSON.parse(readFileSync(new URL('functions.json', import.meta.url), 'utf8'))[process.argv[2]];
const gateway = new Gateway({ log: 'none' });
await gateway.createFunction({ name: 'echo', runtime, handler: 'app.handler', code: { inline: source }, timeout: 60 });

async function call() {
  const { functionError } = await gateway.invoke('echo', event);
  if (functionError) throw new Error('a call failed');
}

async function roundTrips(calls) {
  const times = new Float64Array(calls);
  for (let i = 0; i < calls; i += 1) {
    const begin = performance.now();
    await call();
    times[i] = performance.now() - begin;
  }
  return { p50_us: times.sort()[calls >> 1] * 1000 };
}

async function flood(calls, inFlight) {
  let left = calls;
  const caller = async () => {
    while (left-- > 0) await call();
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { per_second: (calls / (performance.now() - begin)) * 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...numbers] = line.split(' ');
  console.log(JSON.stringify(await (what === 'flood' ? flood : roundTrips)(...numbers.map(Number))));
}
await gateway.close();
