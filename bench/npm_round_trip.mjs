// What `await gateway.invoke` costs: a 100 B echo by a Node.js function, one after the other and 64 at a time.
//
//   cd FOLDER IN WHICH lambed IS INSTALLED && node .../bench/npm_round_trip.mjs [nodejs|python|ruby]
import { createRequire } from 'node:module';
import path from 'node:path';

const { Gateway } = createRequire(path.join(process.cwd(), 'package.json'))('lambed');
const functions = {
  nodejs: ['nodejs20.x', 'exports.handler = async (event) => event;'],
  python: ['python3.11', 'def handler(event, context):\n    return event\n'],
  ruby: ['ruby3.2', 'def handler(event:, context:)\n  event\nend\n'],
};
const [runtime, inline] = functions[process.argv[2] ?? 'nodejs'];
const event = { text: 'x'.repeat(88) };

const gateway = new Gateway({ log: 'none' });
await gateway.createFunction({ name: 'echo', runtime, handler: 'app.handler', code: { inline } });
for (let i = 0; i < 3000; i += 1) await gateway.invoke('echo', event);

const times = new Float64Array(20_000);
for (let i = 0; i < times.length; i += 1) {
  const begin = performance.now();
  await gateway.invoke('echo', event);
  times[i] = performance.now() - begin;
}
times.sort();
const at = (share) => (times[Math.floor(times.length * share)] * 1000).toFixed(1);
console.log(`one after the other: p50 ${at(0.5)} us, p99 ${at(0.99)} us`);

async function flood(calls) {
  let left = calls;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) await gateway.invoke('echo', event);
    }),
  );
  return (calls / (performance.now() - begin)) * 1000;
}
await flood(20_000); // opens the environments
console.log(`64 in flight: ${Math.round(await flood(300_000))} calls a second`);
await gateway.close();
