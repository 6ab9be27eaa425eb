// A function cannot hurt the application whose process it shares: variables, folders, identity, signals, descriptors, children.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

EnvironmentSpec with_variables(Pairs variables) {
  EnvironmentSpec spec;
  spec.variables = std::move(variables);
  spec.variables.emplace_back("PATH", "/usr/local/bin:/usr/bin:/bin");
  return spec;
}

BOOST_AUTO_TEST_SUITE(containment)

BOOST_AUTO_TEST_CASE(process_env_is_the_functions_own) {
  setenv("LAMBED_TEST_OF_THE_APPLICATION", "secret", 1);
  const NodeFunction one(R"js(
    process.env.ADDED = 'by one';
    exports.handler = async () => {
      process.env.NUMBER = 5; process.env.NOTHING = undefined; delete process.env.GONE;
      let symbol = 'accepted'; try { process.env.S = Symbol('s'); } catch (error) { symbol = error.name; }
      Object.defineProperty(process.env, 'DEFINED', { value: 1, configurable: true, enumerable: true, writable: true });
      return { ...process.env, symbol, absent: 'ABSENT' in process.env, has: process.env.hasOwnProperty('NUMBER') };
    };)js",
                         with_variables({{"MINE", "m"}, {"GONE", "g"}}));
  const NodeFunction two("exports.handler = async () => ({ ...process.env });",
                         with_variables({{"MINE", "other"}}));
  BOOST_TEST(one.result() == json({{"MINE", "m"},
                                   {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                   {"ADDED", "by one"},
                                   {"NUMBER", "5"},
                                   {"NOTHING", "undefined"},
                                   {"DEFINED", "1"},
                                   {"symbol", "TypeError"},
                                   {"absent", false},
                                   {"has", true}}));
  BOOST_TEST(two.result() == json({{"MINE", "other"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}}));
  BOOST_TEST(getenv("ADDED") == nullptr);
  BOOST_TEST(std::string(getenv("LAMBED_TEST_OF_THE_APPLICATION")) == "secret");
}

BOOST_AUTO_TEST_CASE(children_see_the_functions_variables_and_folder_and_none_of_the_applications) {
  setenv("LAMBED_TEST_OF_THE_APPLICATION", "secret", 1);
  const NodeFunction function(R"js(
    const child = require('child_process');
    const { promisify } = require('util');
    exports.handler = async () => {
      process.env.LATE = 'l';
      const text = 'echo "$MINE $LATE $LAMBED_TEST_OF_THE_APPLICATION $(pwd)"';
      const spawned = await new Promise((resolve) => {
        let out = '';
        const p = child.spawn('sh', ['-c', text]);
        p.stdout.on('data', (chunk) => { out += chunk; });
        p.on('close', () => resolve(out));
      });
      return [
        child.execSync(text).toString(), child.spawnSync('sh', ['-c', text]).stdout.toString(),
        child.execFileSync('sh', ['-c', text], { encoding: 'utf8' }), (await promisify(child.exec)(text)).stdout,
        (await promisify(child.execFile)('sh', ['-c', text])).stdout, spawned];
    };)js",
                              with_variables({{"MINE", "m"}}));
  const std::string expected = "m l  " + function.path() + "\n";
  BOOST_TEST(function.result() == json(std::vector<std::string>(6, expected)));
}

BOOST_AUTO_TEST_CASE(inherited_output_of_children_goes_to_the_functions_log) {
  const NodeFunction function(R"js(
    const child = require('child_process');
    exports.handler = async () => {
      child.spawnSync('sh', ['-c', 'echo sync; echo problem >&2'], { stdio: 'inherit' });
      child.execSync('echo exec', { stdio: ['ignore', 'inherit', 'inherit'] });
      await new Promise((resolve) => child.spawn('sh', ['-c', 'echo async; cat'], { stdio: 'inherit' }).on('close', resolve));
    };)js");
  function.result();
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDOUT) == "sync\nexec\nasync\n");
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDERR) == "problem\n");
}

BOOST_AUTO_TEST_CASE(es_modules_see_the_same_children) {
  const NodeFunction function(Files{{"index.mjs", R"js(
    import { execSync } from 'node:child_process';
    export const handler = async () => execSync('echo $MINE $(pwd)').toString();)js"}},
                              with_variables({{"MINE", "m"}}));
  BOOST_TEST(function.result() == "m " + function.path() + "\n");
}

BOOST_AUTO_TEST_CASE(fork_starts_node_and_not_the_application) {
  if (std::system("node --version >/dev/null 2>&1") != 0) {
    BOOST_TEST_MESSAGE("SKIPPED: there is no node executable to fork");
    return;
  }
  const NodeFunction function(Files{{"index.js", R"js(
    exports.handler = async () => new Promise((resolve, reject) => {
      const child = require('child_process').fork(require.resolve('./child.js'));
      child.on('message', resolve); child.on('error', reject); child.send('ping');
    });)js"},
                                    {"child.js",
                                     "process.on('message', (text) => { process.send(`${text} "
                                     "${process.env.MINE}`); process.disconnect(); });"}},
                              with_variables({{"MINE", "m"}}));
  BOOST_TEST(function.result() == "ping m");
}

BOOST_AUTO_TEST_CASE(worker_threads_work_and_see_the_functions_variables) {
  setenv("LAMBED_TEST_OF_THE_APPLICATION", "secret", 1);
  const NodeFunction function(R"js(
    const { Worker, SHARE_ENV } = require('worker_threads');
    const code = `require('worker_threads').parentPort.postMessage(
      [process.env.MINE, process.env.LAMBED_TEST_OF_THE_APPLICATION ?? null])`;
    const run = (options) => new Promise((resolve, reject) => {
      const worker = new Worker(code, { eval: true, ...options });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    exports.handler = async () => [await run({}), await run({ env: SHARE_ENV }), await run({ env: { MINE: 'given' } })];)js",
                              with_variables({{"MINE", "m"}}));
  BOOST_TEST(function.result() == json::parse(R"([["m",null],["m",null],["given",null]])"));
}

BOOST_AUTO_TEST_CASE(the_working_directory_is_the_functions_own) {
  const std::filesystem::path before = std::filesystem::current_path();
  const mode_t mask = umask(022);
  umask(mask);
  const NodeFunction function(Files{{"index.js", R"js(
    const fs = require('fs');
    exports.handler = async () => {
      const seen = [process.cwd(), fs.readFileSync('data.txt', 'utf8'), await fs.promises.readFile('./data.txt', 'utf8'),
        await new Promise((resolve, reject) => fs.readFile('data.txt', 'utf8', (e, d) => (e ? reject(e) : resolve(d)))), fs.existsSync('data.txt')];
      process.chdir('inner');
      seen.push(process.cwd(), fs.readFileSync('data.txt', 'utf8'), await fs.promises.readFile('data.txt', 'utf8'));
      process.chdir('..');
      process.umask(0o77);
      return seen;
    };)js"},
                                    {"data.txt", "outer"},
                                    {"inner/data.txt", "inner"}});
  const std::string root = function.path();
  BOOST_TEST(function.result() ==
             json({root, "outer", "outer", "outer", true, root + "/inner", "inner", "inner"}));
  BOOST_TEST(std::filesystem::current_path() == before);
  BOOST_TEST(umask(mask) == mask);
}

BOOST_AUTO_TEST_CASE(identity_priority_and_flags_of_the_process_cannot_be_changed) {
  const NodeFunction function(R"js(
    const attempts = {
      setuid: () => process.setuid(65534), setgid: () => process.setgid(65534), seteuid: () => process.seteuid(65534), setegid: () => process.setegid(65534),
      setgroups: () => process.setgroups([]), initgroups: () => process.initgroups('nobody', 65534),
      priority: () => require('os').setPriority(19), flags: () => require('v8').setFlagsFromString('--expose-gc'), inspector: () => require('inspector').open(0),
      debug: () => process._debugProcess(process.pid) };
    exports.handler = async () => Object.entries(attempts).map(([name, attempt]) => { try { attempt(); return name; } catch (error) { return error.message.includes('Use isolation'); } });)js");
  BOOST_TEST(function.result() == json(std::vector<bool>(10, true)));
  BOOST_TEST(getuid() == geteuid());
}

// The changed modules are loaded late: when a function asks for them, by whichever way.
BOOST_AUTO_TEST_CASE(no_way_to_a_module_of_nodes_leads_around_what_is_changed_in_it) {
  for (const std::string way :
       {"require('v8')", "require('node:v8')", "module.require('v8')",
        "require('module').createRequire(__filename)('v8')", "require('./inner.js')", "(await import('v8'))",
        "(await import('node:v8')).default", "(await eval(\"import('v8')\"))",
        "(await import('./inner.mjs')).v8", "(await require('./importing.js')())",
        "(await require('vm').runInThisContext('(f) => f()')(() => require('v8')))",
        "(process.getBuiltinModule ?? require)('v8')", "(process.getBuiltinModule ?? require)('node:v8')"}) {
    BOOST_TEST_CONTEXT(way) {
      const NodeFunction function(Files{
          {"index.js", "exports.handler = async () => {\n  try {\n    " + way +
                           ".setFlagsFromString('--expose-gc');\n    return 'changed';\n  } catch (error) {\n"
                           "    return error.code;\n  }\n};\n"},
          {"inner.js", "module.exports = require('v8');\n"},
          {"inner.mjs", "export * as v8 from 'v8';\n"},
          {"importing.js", "module.exports = () => import('v8');\n"}});
      BOOST_TEST(function.result() == "ERR_LAMBED_SHARED_PROCESS");
    }
  }
}

BOOST_AUTO_TEST_CASE(every_way_to_the_promises_of_fs_knows_the_functions_folder) {
  for (const std::string way :
       {"require('fs').promises", "require('fs/promises')", "require('node:fs/promises')",
        "(await import('fs')).promises", "(await import('fs/promises'))"}) {
    BOOST_TEST_CONTEXT(way) {
      const NodeFunction function(
          Files{{"index.js", "exports.handler = async () => " + way + ".readFile('data.txt', 'utf8');\n"},
                {"data.txt", "here"}});
      BOOST_TEST(function.result() == "here");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_cluster_starts_writes_to_the_functions_log) {
  if (std::system("node --version >/dev/null 2>&1") != 0) {
    BOOST_TEST_MESSAGE("SKIPPED: there is no node executable to fork");
    return;
  }
  const NodeFunction function(Files{{"index.js", R"js(
    const cluster = require('cluster');
    exports.handler = async () => new Promise((resolve) => {
      cluster.setupPrimary({ exec: require.resolve('./child.js') });
      cluster.fork().on('exit', resolve);
    });)js"},
                                    {"child.js", "console.log('from a worker'); process.exit(3);"}});
  BOOST_TEST(function.result() == 3);
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDOUT) == "from a worker\n");
}

BOOST_AUTO_TEST_CASE(the_process_title_stays) {
  const NodeFunction function(
      "exports.handler = async () => { process.title = 'changed'; return process.title; };");
  char before[16] = {};
  BOOST_TEST(function.result() == "changed");
  pthread_getname_np(pthread_self(), before, sizeof before);
  BOOST_TEST(std::string(before) != "changed");
}

BOOST_AUTO_TEST_CASE(signals_to_itself_end_the_environment_only) {
  for (const auto& [script, signal] :
       std::vector<std::pair<std::string, int>>{{"process.abort()", SIGABRT},
                                                {"process.kill(process.pid, 'SIGKILL')", SIGKILL},
                                                {"process.kill(process.pid)", SIGTERM},
                                                {"process.kill(0, 'SIGINT')", SIGINT},
                                                {"process.kill(-1, 9)", SIGKILL}}) {
    const NodeFunction function("exports.handler = async () => { " + script + "; for (;;); };");
    const Outcome outcome = function.run();
    BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED, script);
    BOOST_TEST(outcome.term_signal == signal, script);
    BOOST_TEST(outcome.discards());
  }
}

BOOST_AUTO_TEST_CASE(signal_listeners_hear_the_function_and_leave_the_processs_handlers_alone) {
  struct sigaction before {};
  sigaction(SIGINT, nullptr, &before);
  const NodeFunction function(R"js(
    const heard = [];
    for (const name of ['SIGINT', 'SIGTERM', 'SIGUSR2']) process.on(name, (signal) => heard.push(signal));
    exports.handler = async () => { process.kill(process.pid, 'SIGTERM'); process.kill(process.pid, 0); process.kill(process.pid, 'SIGCHLD'); return heard; };)js");
  BOOST_TEST(function.result() == json({"SIGTERM"}));
  struct sigaction after {};
  sigaction(SIGINT, nullptr, &after);
  BOOST_TEST((before.sa_sigaction == after.sa_sigaction));
}

BOOST_AUTO_TEST_CASE(other_processes_can_be_signalled) {
  const NodeFunction function(R"js(
    exports.handler = async () => new Promise((resolve) => {
      const child = require('child_process').spawn('sleep', ['60']);
      child.on('exit', (code, signal) => resolve(signal));
      child.on('spawn', () => process.kill(child.pid, 'SIGKILL'));
    });)js");
  BOOST_TEST(function.result() == "SIGKILL");
}

BOOST_AUTO_TEST_CASE(stdin_is_empty_and_descriptors_of_the_application_stay_open) {
  const NodeFunction function(R"js(
    const fs = require('fs');
    exports.handler = async () => {
      for (const fd of [0, 1, 2]) { fs.closeSync(fd); await new Promise((resolve) => fs.close(fd, resolve)); }
      let text = ''; for await (const chunk of process.stdin) text += chunk;
      return text;
    };)js");
  const std::array<bool, 3> before{fcntl(0, F_GETFD) >= 0, fcntl(1, F_GETFD) >= 0, fcntl(2, F_GETFD) >= 0};
  BOOST_TEST(function.result() == "");
  const std::array<bool, 3> after{fcntl(0, F_GETFD) >= 0, fcntl(1, F_GETFD) >= 0, fcntl(2, F_GETFD) >= 0};
  BOOST_TEST((before == after));
}

BOOST_AUTO_TEST_CASE(writing_to_a_closed_socket_is_an_error_and_not_sigpipe) {
  const NodeFunction function(R"js(
    const net = require('net');
    exports.handler = async () => new Promise((resolve) => {
      const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1', () => {
        const client = net.connect(server.address().port, '127.0.0.1');
        client.on('error', (error) => { clearInterval(writing); server.close(); resolve(error.code); });
        client.on('close', () => { clearInterval(writing); server.close(); resolve('EPIPE'); });
        const writing = setInterval(() => client.write('x'.repeat(100000)), 1);
      });
    });)js");
  const std::string code = function.result();
  BOOST_TEST((code == "EPIPE" || code == "ECONNRESET"), code);
}

// Node writes on the handler's thread (sync), on libuv's pool (async) and on that of a worker.
const std::string kWritesWithoutReader = R"js(
  const { spawnSync } = require('child_process');
  const fs = require('fs');
  const { once } = require('events');
  const { Worker } = require('worker_threads');
  const { promisify } = require('util');
  const { Socket } = require('net');
  const code = (error) => error.code;
  exports.handler = async () => {
    const pipe = `${__dirname}/pipe`;
    spawnSync('mkfifo', [pipe]);
    const reader = fs.openSync(pipe, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const fd = fs.openSync(pipe, 'w');
    const streamed = fs.openSync(pipe, 'w');
    fs.closeSync(reader);
    const outcomes = [];
    try { fs.writeSync(fd, 'x'); } catch (error) { outcomes.push(code(error)); }
    for (let i = 0; i < 16; i += 1) outcomes.push(await promisify(fs.write)(fd, 'x').catch(code));
    const stream = new Socket({ fd: streamed, readable: false, writable: true }).on('error', () => {});
    outcomes.push(await promisify(stream.write).call(stream, 'x').catch(code));
    const text = `try { require('fs').writeSync(${fd}, 'x'); } catch (error) { require('worker_threads').parentPort.postMessage(error.code); }`;
    outcomes.push((await once(new Worker(text, { eval: true }), 'message'))[0]);
    fs.closeSync(fd);
    return outcomes;
  };)js";

void check_writes_without_reader() {
  struct sigaction before {};
  struct sigaction now {};
  sigaction(SIGPIPE, nullptr, &before);
  BOOST_REQUIRE(before.sa_handler == SIG_DFL);
  const NodeFunction function(kWritesWithoutReader);
  BOOST_TEST(function.result() == json(std::vector<std::string>(19, "EPIPE")));
  sigaction(SIGPIPE, nullptr, &now);
  BOOST_TEST(now.sa_handler == SIG_DFL);
}

BOOST_AUTO_TEST_CASE(writing_to_a_pipe_without_reader_is_an_error_and_not_sigpipe) {
  check_writes_without_reader();
}

// In a process of its own, in which libuv's pool is started before node.
BOOST_AUTO_TEST_CASE(pipes_without_reader_beside_an_application_that_uses_libuv,
                     *boost::unit_test::disabled()) {
  uv_work_t work{};
  BOOST_REQUIRE(uv_queue_work(
                    uv_default_loop(), &work, [](uv_work_t*) {}, nullptr) == 0);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  check_writes_without_reader();
}

BOOST_AUTO_TEST_CASE(the_pool_of_an_application_is_covered_too) {
  BOOST_TEST(run_alone("containment/pipes_without_reader_beside_an_application_that_uses_libuv") == 0);
}

BOOST_AUTO_TEST_CASE(children_start_with_no_signal_blocked_or_ignored) {
  const NodeFunction function(R"js(
    const child = require('child_process');
    const { promisify } = require('util');
    exports.handler = async () => {
      const text = 'grep -E "Sig(Blk|Ign)" /proc/self/status';
      return [child.execSync(text).toString(), (await promisify(child.exec)(text)).stdout];
    };)js");
  const std::string clean = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
  BOOST_TEST(function.result() == json({clean, clean}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
