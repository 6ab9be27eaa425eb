// What the documentation shows, in a folder in which nothing but the package is installed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program, runNode } from './support.mjs';

const steps = `
const gateway = new Gateway({ log: 'none' });
const python = 'def handler(event, context):\\n    return f"Hello {event[\\'name\\']} from Python"\\n';
const ruby = 'def handler(event:, context:)\\n  "Hello #{event[\\'name\\']} from Ruby"\\nend\\n';
const nodejs = 'exports.handler = async (event) => \`Hello \${event.name} from \${process.version}\`;';
for (const [name, runtime, inline] of [['p', 'python3.11', python], ['r', 'ruby3.2', ruby], ['n', 'nodejs20.x', nodejs]]) {
  await gateway.createFunction({ name, runtime, handler: 'app.handler', code: { inline } });
  console.log((await gateway.invoke(name, { name: 'Ada' })).payload);
}
`;
const expected = `Hello Ada from Python\nHello Ada from Ruby\nHello Ada from ${process.version}\n`;

test('ten lines run a Python, a Ruby and a Node.js function, ESM', async (t) => {
  const { status, stdout, stderr } = await runNode(program(t, `import { Gateway } from 'lambed';\n${steps}`));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: expected }, stderr);
});

test('the same, CommonJS', async (t) => {
  const text = `const { Gateway } = require('lambed');\n(async () => {${steps}})();`;
  const { status, stdout, stderr } = await runNode(program(t, text, 'cjs'));
  assert.deepEqual({ status, stdout }, { status: 0, stdout: expected }, stderr);
});

test('import and require give the same classes', async (t) => {
  const text = `
    import { createRequire } from 'node:module';
    import * as esm from 'lambed';
    import whole from 'lambed';
    const cjs = createRequire(import.meta.url)('lambed');
    const differing = Object.keys(cjs).filter((name) => esm[name] !== cjs[name] || whole[name] !== cjs[name]);
    console.log(JSON.stringify(differing));`;
  const { stdout, stderr } = await runNode(program(t, text));
  assert.equal(stdout, '[]\n', stderr);
});
