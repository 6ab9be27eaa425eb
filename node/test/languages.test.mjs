// Each language inside node: the row of the 3 x 3 matrix that this package is.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Gateway } from 'lambed';
import { deedsOf, languages, until } from './support.mjs';

const broken = {
  nodejs: 'exports.handler = async () => { throw new RangeError("out of tea"); };',
  python: 'def handler(event, context):\n    raise ValueError("out of tea")\n',
  ruby: 'def handler(event:, context:)\n  raise ArgumentError, "out of tea"\nend\n',
};
// tests/together's Ruby one loops in an `ensure` too, which nothing can stop: it would poison the VM for the other tests.
const swallowing = {
  nodejs: 'exports.handler = async () => { for (;;) { try { for (;;); } catch {} } };',
  python: 'def handler(event, context):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n',
  ruby: 'def handler(event:, context:)\n  begin\n    loop {}\n  rescue Exception\n    retry\n  end\nend\n',
};
const errorTypes = { nodejs: 'RangeError', python: 'ValueError', ruby: 'Function<ArgumentError>' };

for (const { language, runtime } of languages) {
  describe(language, () => {
    let gateway;
    const call = async (event, options) => {
      const result = await gateway.invoke(language, event, options);
      assert.equal(result.functionError, undefined, JSON.stringify(result.payload));
      return result.payload;
    };
    before(async () => {
      gateway = new Gateway({ log: 'memory' });
      await gateway.createFunction(deedsOf(language, language, { environment: { COLOUR: 'blue' }, timeout: 20 }));
    });
    after(() => gateway.close());

    test(`${language}: echo of every kind of JSON`, async () => {
      for (const value of [null, true, 0, -1.5, 'text', '\u{1F600} \u2028 \0 ü', [], {}, [1, [2, { a: null }]], 2 ** 53 - 1]) {
        assert.deepEqual(await call({ do: 'echo', value }), value);
      }
    });

    test(`${language}: a payload of 5 MB goes in and comes out`, async () => {
      const value = 'x'.repeat(5_000_000);
      assert.equal(await call({ do: 'echo', value }), value);
    });

    test(`${language}: a failing handler gives the error document of its runtime`, async () => {
      await gateway.createFunction({ name: 'broken', runtime, handler: 'app.handler', code: { inline: broken[language] } });
      const result = await gateway.invoke('broken', {});
      assert.equal(result.statusCode, 200);
      assert.equal(result.functionError, 'Unhandled');
      assert.equal(result.payload.errorType, errorTypes[language]);
      assert.match(result.payload.errorMessage, /out of tea/);
    });

    for (const deed of ['spin', 'swallow']) {
      test(`${language}: a ${deed === 'spin' ? 'busy' : 'swallow-everything'} loop ends at its timeout`, async () => {
        const code = deed === 'swallow' ? { code: { inline: swallowing[language] } } : {};
        await gateway.createFunction(deedsOf(language, deed, { timeout: 1, ...code }));
        const begin = performance.now();
        const result = await gateway.invoke(deed, { do: deed });
        const took = performance.now() - begin;
        assert.equal(result.functionError, 'Unhandled');
        assert.equal(result.payload.errorType, 'Sandbox.Timedout');
        assert.ok(took > 950 && took < 5000, `${took} ms`);
        // It really stops, and the next one is unharmed.
        await until(() => gateway.status().interrupting === 0, 'the loop has ended');
        assert.equal(gateway.status().abandoned, 0);
        assert.equal(await call({ do: 'echo', value: 1 }), 1);
      });
    }

    test(`${language}: eight sleep at the same time`, async () => {
      const begin = performance.now();
      const values = await Promise.all(Array.from({ length: 8 }, (_, value) => call({ do: 'sleep', seconds: 1, value })));
      assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.ok(performance.now() - begin < 7000, 'one after the other');
    });

    test(`${language}: 64 in flight, each with its own answer`, async () => {
      let next = 0;
      await Promise.all(
        Array.from({ length: 64 }, async () => {
          while (next < 1000) {
            const value = next++;
            assert.equal(await call({ do: 'echo', value }), value);
          }
        }),
      );
    });

    test(`${language}: a child process has the function's environment, not the application's`, async () => {
      process.env.LAMBED_TEST_SECRET = 'of the application';
      const { out, code } = await call({ do: 'run', command: 'echo "$COLOUR [$LAMBED_TEST_SECRET] $AWS_LAMBDA_FUNCTION_NAME"' });
      assert.deepEqual({ out, code }, { out: `blue [] ${language}\n`, code: 0 });
      assert.equal(process.env.COLOUR, undefined);
    });

    test(`${language}: child processes of node and of the function do not disturb each other`, async () => {
      const { execFile } = await import('node:child_process');
      const { promisify } = await import('node:util');
      for (let round = 0; round < 5; round += 1) {
        const [ours, theirs] = await Promise.all([
          promisify(execFile)('/bin/sh', ['-c', 'echo ours']),
          call({ do: 'run', command: 'echo theirs; exit 3' }),
        ]);
        assert.equal(ours.stdout, 'ours\n');
        assert.deepEqual(theirs, { out: 'theirs\n', code: 3 });
      }
    });

    test(`${language}: uses its own OpenSSL and zlib, although node's executable exports others`, async () => {
      const text = 'The quick brown fox';
      const digests = await call({ do: 'digest', text });
      assert.equal(digests.sha256, createHash('sha256').update(text).digest('hex'));
      assert.equal(digests.sha512, createHash('sha512').update(text).digest('hex'));
      assert.ok((await call({ do: 'tls' })).ciphers > 0);
      assert.equal(gunzipSync(Buffer.from(await call({ do: 'compress', text }), 'base64')).toString(), text);
    });
  });
}

test("Node.js functions run in the host's own version, each environment by itself", async (t) => {
  const gateway = new Gateway({ log: 'none' });
  t.after(() => gateway.close());
  const inline = `globalThis.calls = 0;
    exports.handler = async () => ({ version: process.version, calls: globalThis.calls += 1, seen: typeof globalThis.ofTheApplication });`;
  globalThis.ofTheApplication = true;
  await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'index.handler', code: { inline } });
  for (const calls of [1, 2]) {
    assert.deepEqual((await gateway.invoke('f', {})).payload, { version: process.version, calls, seen: 'undefined' });
  }
});

test('a Node.js function that ends its process, or fills its heap, ends its environment only', async (t) => {
  const gateway = new Gateway({ log: 'none' });
  t.after(() => gateway.close());
  const inline = `exports.handler = async ({ deed }) => {
      if (deed === 'exit') process.exit(3);
      const kept = [];
      while (deed === 'fill') kept.push(new Array(1000).fill({}));
      return deed;
    };`;
  await gateway.createFunction({ name: 'f', runtime: 'nodejs20.x', handler: 'index.handler', timeout: 30, code: { inline } });
  const ended = (await gateway.invoke('f', { deed: 'exit' })).payload;
  assert.match(ended.errorMessage, /exit status 3/);
  const filled = await gateway.invoke('f', { deed: 'fill' });
  assert.equal(filled.functionError, 'Unhandled');
  assert.equal((await gateway.invoke('f', { deed: 'none' })).payload, 'none');
});
