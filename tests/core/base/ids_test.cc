#include "base/ids.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <regex>
#include <set>
#include <string>
#include <thread>

using namespace lambed;

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(request_ids_are_random_uuids_of_version_4) {
  SystemRandom random;
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = random.uuid();
    BOOST_REQUIRE(std::regex_match(id, form));
    BOOST_REQUIRE(seen.insert(id).second);
  }
}

BOOST_AUTO_TEST_CASE(threads_draw_different_numbers) {
  SystemRandom random;
  std::string other;
  std::thread([&] { other = random.hex32(); }).join();
  BOOST_TEST(other != random.hex32());
}

BOOST_AUTO_TEST_CASE(a_forked_child_does_not_repeat_its_parents_numbers) {
  SystemRandom random;
  random.next();
  int pipe_ends[2];
  BOOST_REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::uint64_t number = random.next();
    const bool written = write(pipe_ends[1], &number, sizeof number) == static_cast<ssize_t>(sizeof number);
    _exit(written ? 0 : 1);
  }
  std::uint64_t of_child = 0;
  BOOST_REQUIRE(read(pipe_ends[0], &of_child, sizeof of_child) == static_cast<ssize_t>(sizeof of_child));
  int status = 0;
  waitpid(child, &status, 0);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  BOOST_TEST(status == 0);
  BOOST_TEST(of_child != random.next());
}

BOOST_AUTO_TEST_CASE(a_seed_repeats_its_numbers_and_units_stay_below_one) {
  SeededRandom one(7);
  SeededRandom two(7);
  for (int i = 0; i < 1'000; ++i) {
    const double unit = one.unit();
    BOOST_TEST(unit >= 0.0);
    BOOST_TEST(unit < 1.0);
    BOOST_TEST(unit == two.unit());
  }
}

BOOST_AUTO_TEST_SUITE_END()
