// A function that behaves, and misbehaves on request: event.do names the deed, tests/soak/deeds.cc what must come of it.
import { execFile, spawn } from 'node:child_process';
import { openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const CODE = 0; // the soak changes this number with every update of the code

const answer = ({ id }) => ({ id, tag: Number(process.env.TAG), code: CODE, language: 'nodejs' });

const deeds = {
  answer,
  big: (event) => ({ ...answer(event), padding: 'x'.repeat(100_000) }),
  async wait(event) {
    await pause(5);
    return answer(event);
  },
  async child(event) {
    await promisify(execFile)('true');
    return answer(event);
  },
  chatter(event) {
    console.log('x'.repeat(200_000));
    console.error('y'.repeat(1000));
    return answer(event);
  },

  // ---- Misbehaviour that ends in an error document.
  throw_error({ id }) {
    throw new TypeError(`thrown on purpose ${id}`);
  },
  throw_text({ id }) {
    throw `thrown on purpose ${id}`;
  },
  async reject({ id }) {
    await null;
    throw new RangeError(`rejected on purpose ${id}`);
  },
  recurse: (event) => deeds.recurse(event) + 1,
  circular() {
    const ring = {};
    ring.ring = ring;
    return ring;
  },
  bigint: () => 1n,
  oversized: () => 'x'.repeat(7_000_000),
  set_user: () => process.setuid(1),
  never: () => new Promise(() => {}),
  async unhandled({ id }) {
    Promise.reject(new Error(`nobody handles this ${id}`));
    await pause(50);
  },
  async uncaught({ id }) {
    setTimeout(() => {
      throw new Error(`nobody catches this ${id}`);
    }, 1);
    await pause(50);
  },
  buffer: () => Buffer.alloc(2 ** 30).length,
  wasm: () => new WebAssembly.Memory({ initial: 16384 }).buffer.byteLength,

  // ---- Misbehaviour that ends the environment.
  exit: () => process.exit(3),
  async exit_later() {
    setTimeout(() => process.exit(4), 1);
    await pause(1000);
  },
  abort: () => process.abort(),
  kill_self: () => process.kill(process.pid, 'SIGKILL'),
  heap() {
    const kept = [];
    for (;;) kept.push(new Array(10_000).fill(Math.random()));
  },

  // ---- Misbehaviour beside an answer.
  timer_stays(event) {
    setTimeout(() => {}, 50);
    return answer(event);
  },
  change_folder(event) {
    process.chdir('/');
    return answer(event);
  },

  // ---- Misbehaviour that a process of its own contains, and nothing less.
  buffer_filled: () => Buffer.alloc(2 ** 30, 1).length,
  wasm_filled: () => new Uint8Array(new WebAssembly.Memory({ initial: 16384 }).buffer).fill(1).length,
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  leaves_children() {
    for (let i = 0; i < 5; i++) spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    process.exit(5);
  },
  files_without_end() {
    for (;;) openSync('/dev/null');
  },
  async kill_group() {
    process.kill(0, 'SIGKILL');
    await pause(50_000);
  },
  writes_everywhere() {
    for (let descriptor = 0; descriptor < 1024; descriptor++) {
      try {
        writeSync(descriptor, 'x'.repeat(5000));
      } catch {
        continue;
      }
    }
    process.exit(7);
  },

  // ---- Misbehaviour that only the limit ends.
  spin() {
    for (;;);
  },
  spin_in_timer: () =>
    new Promise(() => {
      setTimeout(() => {
        for (;;);
      }, 1);
    }),
  spin_in_promise: async () => {
    await null;
    for (;;);
  },
  swallow() {
    for (;;) {
      try {
        for (;;);
      } catch {
        continue;
      }
    }
  },
  hang: () =>
    new Promise(() => {
      setInterval(() => {}, 10);
    }),
  wait_for_memory() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  regex: () => /(a+)+$/.test('a'.repeat(60) + 'b'),
};

export const handler = async (event) => deeds[event.do](event);
