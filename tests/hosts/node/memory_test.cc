// MemorySize holds: heap, ArrayBuffers, WebAssembly; what ends a function does not end the process.
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

void check_out_of_memory(const std::string& script) {
  const NodeFunction function(script);
  const Outcome outcome = function.run();
  // Contained without giving up a thread.
  BOOST_TEST(function.environment().notices().size() == 0U, script);
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_OUT_OF_MEMORY,
             "kind " << outcome.kind << " " << outcome.payload << " " << script);
  BOOST_TEST(outcome.discards());
}

// A module with one memory of its own ("memory", 1 page, no maximum) and grow(pages).
const std::string kGrower = R"(
  const grower = new Uint8Array([0,97,115,109,1,0,0,0, 1,6,1,96,1,127,1,127, 3,2,1,0, 5,3,1,0,1, 7,17,2,6,109,101,109,111,114,121,2,0,4,103,114,111,119,0,0,
    10,8,1,6,0,32,0,64,0,11]);)";

BOOST_AUTO_TEST_SUITE(memory)

BOOST_AUTO_TEST_CASE(a_heap_that_grows_past_the_limit_is_out_of_memory) {
  for (const std::string body :
       {"const a = []; for (;;) a.push({ x: 1, y: [1, 2, 3] });",
        "const a = []; for (;;) a.push('x'.repeat(1000) + a.length);",
        "const m = new Map(); for (let i = 0; ; i += 1) m.set(i, i);",
        "const a = []; const more = () => { for (let i = 0; i < 1000; i += 1) a.push([i]); setTimeout(more, "
        "0); }; more(); await new Promise(() => {});"}) {
    check_out_of_memory("exports.handler = async () => { " + body + " };");
  }
}

BOOST_AUTO_TEST_CASE(one_large_allocation_does_not_end_the_process) {
  check_out_of_memory(
      "exports.handler = async () => { const a = []; for (;;) a.push(new Array(32 * 1024 * 1024).fill(1.5)); "
      "};");
  check_out_of_memory(
      "exports.handler = async () => { const a = new Array(30000000).fill({}); for (;;) a.slice().reverse(); "
      "};");
  check_out_of_memory(
      "exports.handler = async () => { const a = []; for (;;) a.push(Buffer.from('x'.repeat(2 ** "
      "26)).toString('utf16le')); };");
}

BOOST_AUTO_TEST_CASE(running_out_of_memory_while_loading_is_the_answer_to_the_init) {
  const NodeFunction function("const a = []; for (;;) a.push([1, 2, 3]);");
  BOOST_TEST(function.opened().kind == LAMBED_OUTCOME_OUT_OF_MEMORY);
}

BOOST_AUTO_TEST_CASE(a_buffer_that_does_not_fit_is_out_of_memory) {
  for (const std::string body :
       {"Buffer.alloc(500000000)", "new Float64Array(100000000)", "Buffer.from('x'.repeat(400000000))",
        "require('fs').readFileSync(process.env.LARGE_FILE)",
        "[1, 2, 3].map(() => Buffer.from('x'.repeat(70000000)))"}) {
    const TemporaryFolder folder;
    const std::string file = folder.write("large", "");
    BOOST_REQUIRE(truncate(file.c_str(), 300'000'000) == 0);
    EnvironmentSpec spec;
    spec.variables = {{"LARGE_FILE", file}};
    const NodeFunction function("exports.handler = async () => { try { " + body +
                                    "; } catch (error) { return error.name; } for (;;); };",
                                spec);
    BOOST_TEST(function.run().kind == LAMBED_OUTCOME_OUT_OF_MEMORY, body);
  }
}

BOOST_AUTO_TEST_CASE(a_buffer_beyond_everything_is_a_rangeerror_that_can_be_handled) {
  const NodeFunction function(
      "exports.handler = async (event) => { try { return Buffer.alloc(event.n).length; } catch (error) { "
      "return error.name; } };");
  BOOST_TEST(function.result(R"({"n":3000000000})") == "RangeError");
  BOOST_TEST(function.result(R"({"n":50000000})") == 50000000);
  const NodeFunction careless("exports.handler = async () => Buffer.alloc(3000000000).length;");
  BOOST_TEST(careless.run().kind == LAMBED_OUTCOME_OUT_OF_MEMORY);
}

BOOST_AUTO_TEST_CASE(many_small_buffers_are_out_of_memory) {
  check_out_of_memory(
      "exports.handler = async () => { const a = []; for (;;) a.push(Buffer.alloc(100000)); };");
  check_out_of_memory(
      "exports.handler = async () => { const a = []; for (;;) a.push(require('crypto').randomBytes(70000)); "
      "};");
  check_out_of_memory(
      "exports.handler = async () => { const a = []; for (;;) a.push(Buffer.from('x'.repeat(5000000))); };");
}

BOOST_AUTO_TEST_CASE(freed_buffers_may_be_used_again) {
  const NodeFunction function(
      "exports.handler = async () => { let n = 0; for (let i = 0; i < 60; i += 1) n += "
      "Buffer.alloc(20000000).length; return n; };");
  BOOST_TEST(function.result() == 1200000000);
  BOOST_TEST(function.result() == 1200000000);
}

BOOST_AUTO_TEST_CASE(webassembly_memory_counts) {
  check_out_of_memory("exports.handler = async () => { new WebAssembly.Memory({ initial: 10000 }); };");
  check_out_of_memory(
      "exports.handler = async () => { const m = new WebAssembly.Memory({ initial: 1 }); m.grow(10000); };");
  const NodeFunction function(kGrower + R"(
    exports.handler = async (event) => {
      const instance = event.sync ? new WebAssembly.Instance(new WebAssembly.Module(grower)) : (await WebAssembly.instantiate(grower)).instance;
      return [instance.exports.grow(10), instance.exports.grow(10000), instance.exports.memory.buffer.byteLength, instance.exports.memory instanceof WebAssembly.Memory];
    };)");
  for (const std::string event : {R"({"sync":true})", R"({"sync":false})"}) {
    BOOST_TEST(function.result(event) == json({1, -1, 11 * 65536, true}));
  }
}

BOOST_AUTO_TEST_CASE(webassembly_within_the_limit_works) {
  const NodeFunction function(R"(
    exports.handler = async () => {
      const m = new WebAssembly.Memory({ initial: 1, maximum: 100 });
      m.grow(9);
      const invalid = await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0])).catch((error) => error.name);
      return [m.buffer.byteLength, m instanceof WebAssembly.Memory, invalid, WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))];
    };)");
  BOOST_TEST(function.result() == json({655360, true, "CompileError", true}));
}

BOOST_AUTO_TEST_CASE(the_peak_is_reported) {
  const NodeFunction function("exports.handler = async (event) => Buffer.alloc(event.n, 1).length;");
  const Outcome small = function.run(R"({"n":1000})");
  BOOST_TEST(small.memory_peak > 1'000'000U);
  BOOST_TEST(small.memory_peak < 30'000'000U);
  const Outcome large = function.run(R"({"n":60000000})");
  BOOST_TEST(large.memory_peak > 60'000'000U);
  BOOST_TEST(function.environment().usage().memory_peak >= large.memory_peak);
  BOOST_TEST(function.environment().usage().cpu_ns > 1'000'000U);
}

BOOST_AUTO_TEST_CASE(a_larger_limit_is_a_larger_heap) {
  EnvironmentSpec spec;
  spec.memory_limit = std::uint64_t{512} << 20;
  const NodeFunction function(
      "exports.handler = async () => { const a = []; for (let i = 0; i < 2500000; i += 1) a.push([i, i]); "
      "return a.length; };",
      spec);
  BOOST_TEST(function.result() == 2500000);
}

// What V8 cannot recover from ends in its abort; here the thread is given up instead. In a process of its own, because that
// thread and its memory stay.
BOOST_AUTO_TEST_CASE(given_up_after_a_fatal_error, *boost::unit_test::disabled()) {
  {
    // One builtin that makes objects until 1.5 GiB above the limit are used, without looking up.
    const NodeFunction function(
        "exports.handler = async () => JSON.parse('[' + '[1,2,3],'.repeat(5e7) + '1]').length;");
    const auto token = function.environment().submit("{}");
    const auto outcome = function.environment().wait_outcome(token, std::chrono::seconds(120));
    BOOST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_OUT_OF_MEMORY);
    BOOST_TEST(outcome->discards());
  }
  {
    // A check inside V8: an array longer than V8 has arrays.
    const NodeFunction function("exports.handler = async () => 'x'.repeat(2 ** 29 - 100).split('').length;");
    const Outcome outcome = function.run();
    BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
    BOOST_TEST(outcome.term_signal == SIGABRT);
    BOOST_TEST(outcome.discards());
  }
  BOOST_TEST(HostHarness::wait_notice("met a fatal error of V8"));
  BOOST_TEST(NodeFunction("exports.handler = async () => 'others go on';").result() == "others go on");
}

BOOST_AUTO_TEST_CASE(a_fatal_error_of_v8_costs_the_environment_and_not_the_process) {
  BOOST_TEST(run_alone("memory/given_up_after_a_fatal_error") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
