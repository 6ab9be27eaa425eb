#include "environments/sandbox/sandbox.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>

using namespace lambed::sandbox;

BOOST_AUTO_TEST_SUITE(sandbox)

BOOST_AUTO_TEST_CASE(first) {
  for (Layer layer : {Layer::kRootCgroup1, Layer::kUserNamespace, Layer::kBare}) {
    auto made = Supervisor::create({.layer = layer});
    if (!made) {
      BOOST_ERROR(made.error().message());
      continue;
    }
    auto& s = **made;
    auto t0 = std::chrono::steady_clock::now();
    for (int i = 0; i < 50; ++i) {
      auto c = s.spawn({}, {}, [](const Inside&) { return 7; });
      BOOST_REQUIRE_MESSAGE(c.ok(), (c ? "" : c.error().message()));
      Ending e = s.finish(std::move(*c));
      BOOST_TEST(e.exit_code == 7);
      BOOST_TEST(e.signal == 0);
    }
    auto ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - t0).count() / 50;
    std::printf("%s: %.2f ms\n", name_of(layer), ms);
  }
}

BOOST_AUTO_TEST_SUITE_END()
