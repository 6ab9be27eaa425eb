// What the tests of tests/together ask of a Node.js function: event.do names the deed.
import { execFileSync, execSync, exec, spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv, createHash, createHmac, pbkdf2, pbkdf2Sync } from 'node:crypto';
import { closeSync, constants, mkdtempSync, openSync, rmSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, getCiphers } from 'node:tls';
import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflateSync } from 'node:zlib';

const key = Buffer.alloc(32, 7);
const start = Buffer.alloc(16, 9);

const deeds = {
  echo: ({ value }) => value,

  async run({ command }) {
    try {
      const { stdout } = await promisify(exec)(command);
      return { out: stdout, code: 0 };
    } catch (error) {
      return { out: error.stdout, code: error.code };
    }
  },

  popen: ({ command, input = '' }) =>
    new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.on('data', (data) => (out += data));
      child.on('error', reject);
      child.on('close', (code) => resolve({ out, code }));
      child.stdin.on('error', () => {}); // the child may end without reading
      child.stdin.end(input);
    }),

  runSync: ({ command }) => ({ out: execSync(command).toString(), code: 0 }),

  async digest({ text }) {
    return {
      sha256: createHash('sha256').update(text).digest('hex'),
      sha512: createHash('sha512').update(text).digest('hex'),
      md5: createHash('md5').update(text).digest('hex'),
      hmac: createHmac('sha256', 'key').update(text).digest('hex'),
      pbkdf2: (await promisify(pbkdf2)(text, 'salt', 1000, 32, 'sha256')).toString('hex'),
    };
  },

  tls: () => ({ library: process.versions.openssl, ciphers: createSecureContext({ ciphers: 'ECDHE+AESGCM' }) && getCiphers().length }),

  encrypt({ text }) {
    const cipher = createCipheriv('aes-256-cbc', key, start);
    return Buffer.concat([cipher.update(text), cipher.final()]).toString('base64');
  },
  decrypt({ data }) {
    const cipher = createDecipheriv('aes-256-cbc', key, start);
    return Buffer.concat([cipher.update(Buffer.from(data, 'base64')), cipher.final()]).toString();
  },

  compress: async ({ text }) => (await promisify(gzip)(text)).toString('base64'),
  expand: async ({ data }) => (await promisify(gunzip)(Buffer.from(data, 'base64'))).toString(),
  deflate: async ({ text }) => (await promisify(deflate)(text)).toString('base64'),
  inflate: ({ data }) => inflateSync(Buffer.from(data, 'base64')).toString(),

  // The ways in which node writes: libuv's pool of threads and the thread of the handler (fs), the loop (streams), both of
  // them to a pipe; and to the socket that is a child's standard input.
  async closed_pipe() {
    const folder = mkdtempSync(join(tmpdir(), 'lambed-together-'));
    const text = 'nobody reads this';
    const ofStream = (stream) =>
      new Promise((resolve) => {
        stream.on('error', () => {});
        stream.write(text, (error) => resolve(error ? error.code : 'written'));
      });
    try {
      const name = join(folder, 'pipe');
      execFileSync('mkfifo', [name]);
      const reader = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
      const [writer, streamed] = [openSync(name, constants.O_WRONLY), openSync(name, constants.O_WRONLY)];
      closeSync(reader);
      const outcomes = [await promisify(write)(writer, text).then(() => 'written', (error) => error.code)];
      try {
        writeSync(writer, text);
        outcomes.push('written');
      } catch (error) {
        outcomes.push(error.code);
      }
      closeSync(writer);
      const stream = new Socket({ fd: streamed, readable: false, writable: true });
      outcomes.push(await ofStream(stream));
      stream.destroy();
      // A child that lives but does not read: node would close the stream of one that has ended.
      const child = spawn('/bin/sh', ['-c', 'exec 0<&-; echo closed; exec sleep 60']);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      outcomes.push(await ofStream(child.stdin));
      await new Promise((resolve) => {
        child.on('exit', resolve);
        child.kill('SIGKILL');
      });
      return outcomes.every((outcome) => outcome === 'EPIPE') ? 'EPIPE' : outcomes.join(' ');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },

  async sleep({ seconds, value }) {
    await pause(seconds * 1000);
    return value;
  },

  step: ({ steps, sum }) => ({ steps: [...steps, 'nodejs'], sum: sum + 10 }),

  spin() {
    console.log('running');
    for (;;);
  },
  swallow() {
    console.log('running');
    for (;;) {
      try {
        for (;;);
      } catch {
        continue;
      }
    }
  },
  async wait({ seconds }) {
    console.log('running');
    await pause(seconds * 1000);
  },
  native() {
    // One call into OpenSSL that looks at nothing before it has finished.
    console.log('running');
    return pbkdf2Sync('password', 'salt', 2 ** 31 - 1, 64, 'sha512').toString('hex');
  },
};

export const handler = async (event) => deeds[event.do](event);
