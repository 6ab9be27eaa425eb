// WebAssembly memories escape V8's heap limit. Every one gets a maximum: those made by JavaScript in the constructor, those that a
// module declares by rewriting its memory section. Evaluates to (native, settings) => undefined.
(function limitWebAssembly(native, settings) {
  'use strict';
  const { Module, Memory, compile } = WebAssembly;
  const kPage = 65536;
  const kMemorySection = 5;
  const limit = Math.floor(settings.memoryLimit / kPage);

  function refusal() {
    native.memoryRefused();
    return new RangeError('WebAssembly.Memory(): could not allocate memory');
  }

  function limited(descriptor) {
    if (typeof descriptor !== 'object' || descriptor === null) return descriptor;
    if (Number(descriptor.initial) > limit) throw refusal();
    const maximum = descriptor.maximum === undefined ? limit : Math.min(Number(descriptor.maximum), limit);
    return { ...descriptor, initial: descriptor.initial, maximum };
  }

  const unsigned = (value) => {
    const bytes = [];
    do {
      const low = value % 128;
      value = Math.floor(value / 128);
      bytes.push(value > 0 ? low + 128 : low);
    } while (value > 0);
    return bytes;
  };

  // Returns the module's bytes with a maximum for each memory that it declares, or the same bytes if it declares none.
  function limitedBytes(source) {
    const bytes = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    let at = 8;
    const read = () => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at];
        at += 1;
        if (byte === undefined || scale > 2 ** 42) throw new RangeError('malformed');
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      const begin = at;
      const id = bytes[at];
      at += 1;
      const size = read();
      const end = at + size;
      if (id !== kMemorySection) {
        at = end;
        continue;
      }
      const count = read();
      const section = unsigned(count);
      for (let memory = 0; memory < count; memory += 1) {
        const flags = bytes[at];
        at += 1;
        const initial = read();
        const maximum = flags & 1 ? read() : limit;
        if (initial > limit) throw refusal();
        section.push(flags | 1, ...unsigned(initial), ...unsigned(Math.min(maximum, limit)));
      }
      const head = [kMemorySection, ...unsigned(section.length)];
      const result = new Uint8Array(begin + head.length + section.length + (bytes.length - end));
      result.set(bytes.subarray(0, begin), 0);
      result.set(head, begin);
      result.set(section, begin + head.length);
      result.set(bytes.subarray(end), begin + head.length + section.length);
      return result;
    }
    return source;
  }

  function limitedSource(source) {
    if (!ArrayBuffer.isView(source) && Object.prototype.toString.call(source).indexOf('ArrayBuffer') < 0) return source;
    try {
      return limitedBytes(source);
    } catch (error) {
      if (error.message === 'malformed') return source; // V8 says what is wrong with it
      throw error;
    }
  }

  WebAssembly.Memory = class extends Memory {
    constructor(descriptor) {
      super(limited(descriptor));
    }
  };
  WebAssembly.Module = class extends Module {
    constructor(source) {
      super(limitedSource(source));
    }
  };
  const { grow } = Memory.prototype;
  Memory.prototype.grow = function (pages) {
    try {
      return grow.call(this, pages);
    } catch (error) {
      if (this.buffer.byteLength / kPage + Number(pages) > limit) native.memoryRefused();
      throw error;
    }
  };
  for (const [name, original] of [['Memory', Memory], ['Module', Module]]) {
    // What V8 makes itself (exports.memory, compile()) is an instance of the original class.
    Object.defineProperty(WebAssembly[name], Symbol.hasInstance, { value: (value) => value instanceof original });
    Object.defineProperty(WebAssembly[name], 'name', { value: name });
  }
  WebAssembly.compile = async (source) => compile(limitedSource(source));
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (source, imports) => instantiate(limitedSource(source), imports);
  // A stream's bytes are only known when it has ended; no V8 option limits what it declares.
  WebAssembly.compileStreaming = async (response) => WebAssembly.compile(await (await response).arrayBuffer());
  WebAssembly.instantiateStreaming = async (response, imports) =>
    WebAssembly.instantiate(await (await response).arrayBuffer(), imports);
})
