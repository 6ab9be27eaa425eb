// Node.js in worker processes: forked from a launcher that has the plugin loaded and not started.
#include <chrono>
#include <csignal>
#include <filesystem>

#include "hosts/node/node_fixture.h"
#include "support/worker_launcher.h"

namespace lambed::testing {
namespace {

using nlohmann::json;

// Runs the event's "code" in the handler.
const char* const kRunner = R"(const AsyncFunction = (async () => {}).constructor;
exports.handler = async (event, context) =>
  event?.code ? new AsyncFunction('require', 'context', event.code)(require, context) : event;
exports.callback = (event, context, done) => setTimeout(() => done(null, event), 2);
)";

std::string code(const std::string& text) { return json{{"code", text}}.dump(); }

struct LauncherFixture {
  LauncherFixture() {
    for (const auto& entry : std::filesystem::directory_iterator(LAMBED_PLUGIN_DIR)) {
      if (entry.path().filename().string().rfind("liblambed_host_nodejs", 0) == 0 && plugin.empty())
        plugin = entry.path();
    }
    launcher = std::make_unique<WorkerLauncher>(plugin);
    folder.write("index.js", kRunner);
    spec.runtime = "nodejs18.x";
    spec.handler = "index.handler";
    spec.task_root = folder.path();
    spec.variables = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"NAME", "value"}};
  }
  std::unique_ptr<Worker> open() { return launcher->open(spec); }
  std::string run(const std::string& text) {
    const Outcome outcome = open()->invoke(code(text));
    BOOST_TEST(outcome.succeeded(), outcome.payload);
    return outcome.payload;
  }
  ProcessEnd end_of(const std::string& text) {
    const auto worker = open();
    BOOST_TEST(!worker->try_invoke(code(text)).has_value());
    return worker->wait_end();
  }
  std::string plugin;
  std::unique_ptr<WorkerLauncher> launcher;
  TemporaryFolder folder;
  EnvironmentSpec spec;
};

BOOST_FIXTURE_TEST_SUITE(a_node_worker, LauncherFixture)

BOOST_AUTO_TEST_CASE(starts_in_a_fork_of_a_process_of_one_thread) {
  BOOST_TEST(launcher->threads() == 1);
  for (int i = 0; i < 3; ++i) {
    const auto worker = open();
    BOOST_TEST(worker->launcher_threads() == 1);
    BOOST_TEST(worker->invoke(std::to_string(i)).payload == std::to_string(i));
    worker->close();
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(lives_beside_others_and_after_them) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(launcher->launch(spec));
  for (const auto& worker : workers) {
    BOOST_TEST_REQUIRE(worker->wait_opened().has_value());
    BOOST_TEST(worker->invoke("1").payload == "1");
  }
  ::kill(workers[0]->pid(), SIGKILL);
  BOOST_TEST(workers[0]->wait_end().signal == SIGKILL);
  BOOST_TEST(workers[1]->invoke("2").payload == "2");
  BOOST_TEST(open()->invoke("3").payload == "3");
}

BOOST_AUTO_TEST_CASE(echoes_small_and_large_events) {
  const auto worker = open();
  const std::string small = R"({"a":[1,2.5,null,"x"],"b":")" + std::string(70, 'y') + "\"}";
  BOOST_TEST(worker->invoke(small).payload == small);
  const std::string large = "\"" + std::string(1 << 20, 'z') + "\"";
  BOOST_TEST((worker->invoke(large).payload == large));
  spec.handler = "index.callback";
  BOOST_TEST(open()->invoke(small).payload == small);
}

BOOST_AUTO_TEST_CASE(ends_as_the_handler_ends_it) {
  BOOST_TEST(end_of("process.exit(7)").exit_code == 7);
  BOOST_TEST(end_of("process.abort()").signal == SIGABRT);
  BOOST_TEST(
      end_of("process.kill(process.pid, 'SIGKILL'); await new Promise(() => setTimeout(() => {}, 1e4))")
          .signal == SIGKILL);
  BOOST_TEST(end_of("process.kill(process.pid); await new Promise(() => setTimeout(() => {}, 1e4))").signal ==
             SIGTERM);
  folder.write("leaves.js", "process.exit(9)\n");
  spec.handler = "leaves.handler";
  const auto worker = launcher->launch(spec);
  BOOST_TEST(!worker->wait_opened().has_value());
  BOOST_TEST(worker->wait_end().exit_code == 9);
}

BOOST_AUTO_TEST_CASE(hears_signals) {
  BOOST_TEST(
      run("setTimeout(() => {}, 1e4);"  // a listener alone keeps no event loop going
          "return new Promise((done) => { process.on('SIGTERM', done); process.kill(process.pid); })") ==
      "\"SIGTERM\"");
}

BOOST_AUTO_TEST_CASE(writes_the_same_error_documents_as_in_process) {
  folder.write("bad.js", "throw new Error('boom')\n");
  folder.write("wrong.js", "function (\n");
  for (const char* const text :
       {"throw new TypeError('x')", "throw 'text'", "missing()", "return 1n",
        "setTimeout(() => { throw new Error('late') }); await new Promise(() => setTimeout(() => {}, 1e4))",
        "await new Promise(() => {})"}) {
    const Outcome here = open()->invoke(code(text));
    const HarnessEnvironment environment = node_host().open(spec);
    environment.expect_opened();
    const Outcome there = environment.invoke(code(text));
    BOOST_TEST(here.kind == there.kind, text);
    BOOST_TEST(here.payload == there.payload);
    BOOST_TEST(here.error_type == there.error_type);
    environment.close();
  }
  for (const char* const handler :
       {"missing.handler", "index.missing", "bad.handler", "wrong.handler", "nodot"}) {
    spec.handler = handler;
    const auto worker = launcher->launch(spec);
    const std::optional<Outcome> here = worker->wait_opened();
    const std::optional<Outcome> there = node_host().open(spec).wait_opened();
    BOOST_TEST_REQUIRE((here.has_value() && there.has_value()), handler);
    BOOST_TEST(here->kind == LAMBED_OUTCOME_FUNCTION_ERROR);
    BOOST_TEST(here->payload == there->payload);
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(tells_of_a_full_heap_and_leaves_buffers_to_the_core) {
  const auto worker = open();
  BOOST_TEST(worker->invoke(code("return Buffer.alloc(300 << 20).length")).payload ==
             std::to_string(300 << 20));
  BOOST_TEST(worker->invoke(code("const all = []; for (;;) all.push(new Array(1000).fill(1.5))")).kind ==
             LAMBED_OUTCOME_OUT_OF_MEMORY);
}

BOOST_AUTO_TEST_CASE(logs_what_is_printed_and_lets_children_write_to_its_descriptors) {
  const auto worker = open();
  worker->invoke(
      code("console.log('logged'); process.stdout.write('written'); require('fs').writeSync(1, 'raw\\n');"
           "require('child_process').spawnSync('echo', ['from a child'], { stdio: 'inherit' });"
           "require('child_process').spawnSync('echo', ['to the stream'], { stdio: ['ignore', "
           "process.stdout, 'ignore'] });"));
  BOOST_TEST(worker->log(LAMBED_STREAM_LOG).find("\tINFO\tlogged\n") != std::string::npos);
  BOOST_TEST(worker->log(LAMBED_STREAM_STDOUT) == "written");
  BOOST_TEST(worker->wait_output("raw\nfrom a child\nto the stream\n"));
}

BOOST_AUTO_TEST_CASE(gives_the_function_the_process_s_variables_and_folder) {
  const auto worker = open();
  const json seen = json::parse(
      worker
          ->invoke(code(
              "return [process.env, require('child_process').execSync('env').toString(), process.cwd()]"))
          .payload);
  BOOST_TEST((seen[0] == json{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"NAME", "value"}}));
  BOOST_TEST(seen[1].get<std::string>().find("NAME=value\n") != std::string::npos);
  BOOST_TEST(seen[1].get<std::string>().find("LAUNCHER_ONLY") == std::string::npos);
  BOOST_TEST(seen[2] == folder.path());
  BOOST_TEST(worker
                 ->invoke(code(
                     "process.chdir('/'); process.umask(0o27); process.title = 'mine'; return process.cwd()"))
                 .payload == "\"/\"");
}

BOOST_AUTO_TEST_CASE(runs_children_and_worker_threads) {
  folder.write("child.js", "process.send(process.env.NAME)\n");
  const auto worker = open();
  BOOST_TEST(worker
                 ->invoke(code("const child = require('child_process').fork('./child.js');"
                               "return new Promise((done) => child.on('message', done))"))
                 .payload == "\"value\"");
  BOOST_TEST(
      worker
          ->invoke(code("const { Worker } = require('worker_threads');"
                        "const thread = new Worker('require(\"worker_threads\").parentPort.postMessage(6)', "
                        "{ eval: true });"
                        "return new Promise((done) => thread.on('message', done))"))
          .payload == "6");
}

BOOST_AUTO_TEST_CASE(answers_about_as_soon_as_an_environment_in_process) {
  const auto time = [](const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  };
  double here = 1e9;
  double there = 1e9;
  for (int i = 0; i < 5; ++i) {
    here = std::min(here, time([this] { open()->invoke("1"); }));
    there = std::min(there, time([this] {
                       const HarnessEnvironment environment = node_host().open(spec);
                       environment.expect_opened();
                       environment.invoke("1");
                       environment.request_close();
                     }));
  }
  BOOST_TEST_MESSAGE("fork to first answer " << here << " ms, an environment in process " << there << " ms");
  BOOST_TEST(here < there + 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
