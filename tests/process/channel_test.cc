// The channel between a server and a worker: what goes through unchanged, and what a worker that lies can do, which is nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "environments/channel/messages.h"
#include "environments/channel/packet.h"
#include "environments/channel/server_end.h"
#include "environments/channel/worker_end.h"

namespace lambed::channel {
namespace {

constexpr Sizes kSizes{.order = 64 * 1024, .answer = 64 * 1024};

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

struct Both {
  ServerEnd server{SharedMemory::create(kSizes).value()};
  WorkerEnd worker{SharedMemory::open(Descriptor(fcntl(server.memory().file(), F_DUPFD_CLOEXEC, 0))).value()};
  Page& page() const { return server.memory().page(); }

  void answer(std::string_view payload, std::string_view error_type = {}) {
    lambed_outcome outcome{};
    outcome.payload = slice(payload);
    outcome.error_type = slice(error_type);
    outcome.kind = error_type.empty() ? LAMBED_OUTCOME_SUCCESS : LAMBED_OUTCOME_FUNCTION_ERROR;
    worker.answer(AnswerKind::kCompleted, 7, outcome);
  }
  std::vector<std::string> log() {
    std::vector<std::string> lines;
    BOOST_TEST(server.take_log(
        [&](std::uint32_t, std::string_view bytes, std::int64_t) { lines.emplace_back(bytes); }));
    return lines;
  }
};

BOOST_AUTO_TEST_SUITE(channel)

BOOST_FIXTURE_TEST_CASE(an_order_arrives_with_all_its_texts, Both) {
  Order order;
  order.token = 7;
  order.deadline = 123;
  order.deadline_epoch_ms = 456;
  for (std::size_t i = 0; i < kTextCount; ++i) order.texts[i] = std::string_view("abcdefgh").substr(i);
  order.event = R"({"a":1})";
  lambed_invocation seen{};
  BOOST_TEST(!worker.take(seen));
  BOOST_TEST(server.post(order));
  BOOST_TEST(!server.order_was_begun());
  BOOST_TEST(worker.take(seen));
  BOOST_TEST(server.order_was_begun());
  BOOST_TEST(seen.token == 7u);
  BOOST_TEST(seen.deadline == 123);
  BOOST_TEST(seen.deadline_epoch_ms == 456);
  BOOST_TEST(std::string(seen.event.data, seen.event.size) == R"({"a":1})");
  BOOST_TEST(std::string(seen.request_id.data, seen.request_id.size) == "abcdefgh");
  BOOST_TEST(std::string(seen.tenant_id.data, seen.tenant_id.size) == "gh");
  BOOST_TEST(!worker.take(seen));
}

BOOST_FIXTURE_TEST_CASE(an_order_that_is_too_large_is_not_posted, Both) {
  const std::string large(kSizes.order + 1, 'x');
  Order order;
  order.event = large;
  BOOST_TEST(!server.post(order));
  lambed_invocation seen{};
  BOOST_TEST(!worker.take(seen));
}

BOOST_FIXTURE_TEST_CASE(an_answer_arrives_once, Both) {
  Answer answer;
  BOOST_TEST((server.look(answer) == News::kNothing));
  this->answer("[1]", "ValueError");
  BOOST_TEST((server.look(answer) == News::kAnswer));
  BOOST_TEST(answer.payload == "[1]");
  BOOST_TEST(answer.error_type == "ValueError");
  BOOST_TEST(answer.token == 7u);
  BOOST_TEST((server.look(answer) == News::kNothing));
}

BOOST_FIXTURE_TEST_CASE(a_result_that_does_not_fit_is_said_to_be_as_large_as_the_area, Both) {
  answer(std::string(kSizes.answer + 1, 'x'));
  Answer seen;
  BOOST_TEST((server.look(seen) == News::kAnswer));
  BOOST_TEST(seen.payload.size() == kSizes.answer);
}

BOOST_FIXTURE_TEST_CASE(an_error_document_that_does_not_fit_is_replaced, Both) {
  answer(std::string(kSizes.answer + 1, 'x'), "ValueError");
  Answer seen;
  BOOST_TEST((server.look(seen) == News::kAnswer));
  BOOST_TEST(seen.payload.find("Runtime.ErrorTooLarge") != std::string_view::npos);
  BOOST_TEST(seen.error_type == "ValueError");
}

BOOST_FIXTURE_TEST_CASE(sizes_beyond_the_memory_are_seen_for_what_they_are, Both) {
  for (const std::uint64_t size : {kSizes.answer + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 4096}) {
    answer("x", "E");
    page().payload_size.store(size);
    Answer seen;
    BOOST_TEST((server.look(seen) == News::kBroken));
  }
  for (const std::uint64_t size : {std::uint64_t{4097}, kSizes.answer, ~std::uint64_t{0}}) {
    answer("x", "E");
    page().error_type_size.store(size);
    Answer seen;
    BOOST_TEST((server.look(seen) == News::kBroken));
  }
  answer("x", "E");
  page().payload_size.store(kSizes.answer);  // leaves no room for the type
  Answer seen;
  BOOST_TEST((server.look(seen) == News::kBroken));
}

BOOST_FIXTURE_TEST_CASE(kinds_that_there_are_not_are_seen_for_what_they_are, Both) {
  Answer seen;
  answer("x");
  page().answer_kind.store(77);
  BOOST_TEST((server.look(seen) == News::kBroken));
  answer("x");
  page().outcome_kind.store(LAMBED_OUTCOME_REFUSED + 1);
  BOOST_TEST((server.look(seen) == News::kBroken));
  answer("x");
  answer("y");  // nobody has asked twice
  BOOST_TEST((server.look(seen) == News::kBroken));
}

BOOST_FIXTURE_TEST_CASE(the_log_arrives_in_order_and_wraps_round, Both) {
  for (int round = 0; round < 500; ++round) {
    const std::string line(static_cast<std::size_t>(round * 7 % 3000), static_cast<char>('a' + round % 26));
    worker.log(LAMBED_STREAM_STDOUT, line + "\n", 0);
    const auto lines = log();
    BOOST_REQUIRE(lines.size() == 1u);
    BOOST_REQUIRE(lines[0] == line + "\n");
  }
}

BOOST_FIXTURE_TEST_CASE(long_output_waits_for_room_and_loses_nothing, Both) {
  const std::string text(1 << 20, 'x');
  std::thread writer([&] { worker.log(LAMBED_STREAM_STDERR, text, 0); });
  std::size_t got = 0;
  while (got < text.size()) {
    const std::uint32_t bell = server.bell();
    for (const std::string& piece : log()) got += piece.size();
    if (got < text.size()) server.wait(bell, 1'000'000'000, 0);
  }
  writer.join();
  BOOST_TEST(got == text.size());
}

BOOST_FIXTURE_TEST_CASE(a_log_that_cannot_be_is_seen_for_what_it_is, Both) {
  const auto broken = [&] { return !server.take_log([](std::uint32_t, std::string_view, std::int64_t) {}); };
  page().log_written.store(kLogBytes + 8);  // more than there is room for
  BOOST_TEST(broken());
  page().log_written.store(8);  // no room for a record's head
  BOOST_TEST(broken());
  page().log_written.store(64);
  auto* record = reinterpret_cast<LogRecord*>(server.memory().log());
  record->size = 0xffffffff;
  BOOST_TEST(broken());
  record->size = kLongestRecord + 1;
  BOOST_TEST(broken());
  record->size = 64;  // longer than what was written
  BOOST_TEST(broken());
}

BOOST_FIXTURE_TEST_CASE(the_memory_can_be_neither_shrunk_nor_grown, Both) {
  const int file = server.memory().file();
  BOOST_TEST(ftruncate(file, 4096) == -1);
  BOOST_TEST(ftruncate(file, 1 << 30) == -1);
  BOOST_TEST(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == -1);
  BOOST_TEST(page().magic.load() == kMagic);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_sealed_is_refused) {
  Descriptor file(memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  BOOST_REQUIRE(ftruncate(file.get(), 1 << 20) == 0);
  BOOST_TEST(!SharedMemory::open(std::move(file)).ok());
}

BOOST_FIXTURE_TEST_CASE(a_nudge_ends_a_wait_even_if_it_comes_first, Both) {
  worker.nudge();
  worker.wait();  // returns
  BOOST_TEST(true);
}

// Another process scribbles over all of the memory without end while the server reads it.
BOOST_FIXTURE_TEST_CASE(a_worker_that_writes_everywhere_all_the_time_does_no_harm, Both) {
  const pid_t child = fork();
  if (child == 0) {
    std::uint64_t x = 88172645463325252ull;
    for (;;) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      // Often with values that might pass.
      Page& p = page();
      p.answer_kind.store(static_cast<std::uint32_t>(x % 4));
      p.outcome_kind.store(static_cast<std::uint32_t>(x % 8));
      p.payload_size.store(x % 5 == 0 ? x : x % 70'000);
      p.error_type_size.store(x % 7 == 0 ? x : x % 5'000);
      p.log_written.store(x % 100'000 & ~std::uint64_t{7});
      auto* log = reinterpret_cast<std::uint32_t*>(server.memory().log());
      log[x % (kLogBytes / 4)] = static_cast<std::uint32_t>(x % 3 == 0 ? x : x % 64);
      server.memory().answer()[x % kSizes.answer] = static_cast<char>(x);
    }
  }
  std::uint64_t bytes = 0;
  std::uint32_t answers = 0;
  int believed = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (std::chrono::steady_clock::now() < end) {
    Answer seen;
    page().answer_number.store(++answers);  // in time, as a worker that wants to be believed would
    if (server.look(seen) == News::kAnswer) {
      ++believed;
      const std::string copy(seen.payload);
      for (const char c : copy) bytes += static_cast<unsigned char>(c);
      BOOST_REQUIRE(seen.payload.size() + seen.error_type.size() <= kSizes.answer);
    }
    static_cast<void>(server.take_log([&](std::uint32_t, std::string_view text, std::int64_t) {
      BOOST_REQUIRE(text.size() <= kLongestRecord);
      bytes += text.size();
    }));
    server.wait(server.bell(), 1000, 0);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  BOOST_TEST_MESSAGE(answers << " looks, " << believed << " answers, " << bytes << " bytes");
  BOOST_TEST(believed > 0);
}

BOOST_AUTO_TEST_CASE(messages_arrive_as_they_were_sent) {
  Spawn spawn;
  spawn.id = 3;
  spawn.handler = "app.handler";
  spawn.layers = {"/a", "/b"};
  spawn.variables = {{"A", "1"}, {"B", ""}};
  spawn.cores = 0.25;
  spawn.init_deadline = -5;
  spawn.json_logs = true;
  spawn.host_loopback = true;
  spawn.address = "10.0.1.5/24";
  spawn.egress = {{"tcp 443 443", "10.0.0.0/8"}};
  spawn.unreachable = {"10.0.1.0/24"};
  const auto seen = decode_spawn(encode(spawn));
  BOOST_REQUIRE(seen.has_value());
  BOOST_TEST(seen->id == 3u);
  BOOST_TEST(seen->handler == "app.handler");
  BOOST_TEST(seen->layers == spawn.layers);
  BOOST_TEST((seen->variables == spawn.variables));
  BOOST_TEST(seen->cores == 0.25);
  BOOST_TEST(seen->init_deadline == -5);
  BOOST_TEST(seen->json_logs);
  BOOST_TEST(seen->host_loopback);
  BOOST_TEST(seen->address == "10.0.1.5/24");
  BOOST_TEST((seen->egress == spawn.egress));
  BOOST_TEST(seen->unreachable == spawn.unreachable);
}

BOOST_AUTO_TEST_CASE(half_a_message_is_none) {
  Ready ready;
  ready.ok = true;
  ready.message = "hello";
  ready.notices = {"one", "two"};
  const std::string whole = encode(ready);
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!decode_ready(std::string_view(whole).substr(0, size)).has_value());
  BOOST_TEST(decode_ready(whole).has_value());
  BOOST_TEST(!decode_ended(whole).has_value());
  std::string endless = encode(Spawn{});
  endless.replace(16, 8, std::string(8, '\xff'));  // the size of its first text
  BOOST_TEST(!decode_spawn(endless).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::channel
