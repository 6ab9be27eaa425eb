// The catalogue on disk: what was acknowledged is there afterwards, whatever happens to the power.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/digest.h"
#include "catalog/awaited.h"
#include "catalog/catalog.h"
#include "catalog/code_packages.h"
#include "catalog/durable_blobs.h"
#include "catalog/durable_store.h"
#include "core/catalog/zip_builder.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::catalog;
using lambed::testing::CuttingDisk;

namespace {

using PutAnswer = std::tuple<StoreStatus, Rev>;

PutAnswer put(Store& store, const std::string& key, const std::string& bytes, const std::optional<Rev>& rev) {
  return Awaited<PutAnswer>::wait_for([&](auto done) { store.put_if(key, bytes, rev, std::move(done)); });
}
StoreStatus remove(Store& store, const std::string& key, const Rev& rev) {
  return std::get<0>(Awaited<std::tuple<StoreStatus>>::wait_for(
      [&](auto done) { store.remove_if(key, rev, std::move(done)); }));
}
std::optional<Entity> get(Store& store, const std::string& key) {
  using Answer = std::tuple<StoreStatus, std::optional<Entity>>;
  return std::get<1>(Awaited<Answer>::wait_for([&](auto done) { store.get(key, std::move(done)); }));
}

// What a client that waits for its answers knows of one key.
struct Known {
  std::optional<std::string> sure;                    // acknowledged; nullopt: absent
  std::optional<std::optional<std::string>> perhaps;  // asked for, the answer did not come
  bool allows(const std::optional<std::string>& found) const {
    return found == sure || (perhaps && found == *perhaps);
  }
};

// Keys of its own, changed one after the other until the power goes.
void work(Store& store, CuttingDisk& disk, std::map<std::string, Known>& known, const std::string& prefix,
          std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; !disk.is_cut() && i < 400; ++i) {
    const std::string key = prefix + std::to_string(random() % 8);
    Known& mine = known[key];
    const auto present = get(store, key);
    if (random() % 4 == 0 && present) {
      const StoreStatus end = remove(store, key, present->rev);
      if (end == StoreStatus::kOk) {
        mine = {std::nullopt, {}};
      } else if (end != StoreStatus::kFailed) {
        mine.perhaps = std::optional<std::string>();
        return;
      }
      continue;
    }
    const std::string bytes(random() % 9000, static_cast<char>('a' + random() % 26));
    const auto end =
        std::get<0>(put(store, key, bytes, present ? std::optional(present->rev) : std::nullopt));
    if (end == StoreStatus::kOk) {
      mine = {bytes, {}};
    } else if (end != StoreStatus::kFailed) {
      mine.perhaps = bytes;
      return;
    }
  }
}

CatalogOptions options() { return {}; }

CreateFunctionRequest function(const std::string& name, const std::string& zip) {
  CreateFunctionRequest request;
  request.name = name;
  request.runtime = "python3.11";
  request.handler = "app.handler";
  request.code = Code::zip(zip);
  return request;
}

int cuts() {
  const char* text = std::getenv("LAMBED_TEST_LONG");
  return text != nullptr && std::string(text) == "yes" ? 1000 : 250;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(catalog_durable)

BOOST_AUTO_TEST_CASE(what_was_written_is_there_when_opened_again) {
  CuttingDisk disk("reopened");
  Rev rev;
  {
    DurableStore store(storage::open_database("db", disk.name()));
    BOOST_TEST((std::get<0>(put(store, "a", "1", std::nullopt)) == StoreStatus::kOk));
    rev = std::get<1>(put(store, "b", std::string("2\0x", 3), std::nullopt));
    BOOST_TEST((std::get<0>(put(store, "b", "no", std::nullopt)) == StoreStatus::kConflict));
    BOOST_TEST((std::get<0>(put(store, "b", "no", Rev("99"))) == StoreStatus::kConflict));
    BOOST_TEST((std::get<0>(put(store, "b", "no", Rev("x"))) == StoreStatus::kConflict));
    BOOST_TEST((remove(store, "a", Rev("99")) == StoreStatus::kConflict));
    BOOST_TEST((remove(store, "a", get(store, "a")->rev) == StoreStatus::kOk));
  }
  DurableStore store(storage::open_database("db", disk.name()));
  BOOST_TEST(!get(store, "a"));
  BOOST_TEST(get(store, "b")->bytes == std::string("2\0x", 3));
  BOOST_TEST(get(store, "b")->rev == rev);
}

BOOST_AUTO_TEST_CASE(watchers_know_of_a_write_before_its_writer_does) {
  CuttingDisk disk("watched");
  DurableStore store(storage::open_database("db", disk.name()));
  put(store, "p/0", "there", std::nullopt);
  std::vector<std::string> seen;
  const auto watch = store.watch("p/", [&](const Store::Change& change) {
    seen.push_back(change.key + "=" + (change.entity ? change.entity->bytes : "gone"));
  });
  const Rev rev = std::get<1>(put(store, "p/1", "new", std::nullopt));
  put(store, "q/1", "other", std::nullopt);
  remove(store, "p/1", rev);
  const std::vector<std::string> wanted = {"p/0=there", "p/1=new", "p/1=gone"};
  BOOST_TEST(seen == wanted);
  store.unwatch(watch);
  put(store, "p/2", "unseen", std::nullopt);
  BOOST_TEST(seen.size() == 3u);
}

BOOST_AUTO_TEST_CASE(no_power_cut_loses_what_was_acknowledged) {
  std::mt19937_64 random(20261124);
  CuttingDisk disk("cuts");
  std::map<std::string, Known> known[3];
  int lost = 0, cut_with_work = 0;
  for (int round = 0; round < cuts(); ++round) {
    std::unique_ptr<DurableStore> store;
    disk.cut_after(1 + random() % 400);
    try {
      store = std::make_unique<DurableStore>(storage::open_database("db", disk.name()));
    } catch (const storage::Failure&) {
      // cut while it was opened
    }
    if (store != nullptr) {
      ++cut_with_work;
      std::vector<std::thread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back(
            [&, t, seed = random()] { work(*store, disk, known[t], std::to_string(t) + "/", seed); });
      }
      for (std::thread& thread : threads) thread.join();
      store.reset();
    }
    disk.restore(random);
    auto connection = storage::open_database("db", disk.name());
    BOOST_TEST(connection->text("PRAGMA integrity_check") == "ok");
    DurableStore after(std::move(connection));
    for (auto& of_thread : known) {
      for (auto& [key, mine] : of_thread) {
        const auto found = get(after, key);
        const auto bytes = found ? std::optional(found->bytes) : std::nullopt;
        if (!mine.allows(bytes)) ++lost;
        mine = {bytes, {}};
      }
    }
  }
  BOOST_TEST(lost == 0);
  BOOST_TEST(cut_with_work > cuts() / 2);
}

BOOST_AUTO_TEST_CASE(no_power_cut_separates_a_function_from_its_code) {
  std::mt19937_64 random(7);
  CuttingDisk disk("cut-functions");
  SystemClock clock;
  SystemRandom ids;
  std::map<std::string, std::string> acknowledged;  // function -> CodeSha256
  for (int round = 0; round < cuts() / 5; ++round) {
    disk.cut_after(20 + random() % 300);
    try {
      auto store = std::make_shared<DurableStore>(storage::open_database("catalogue", disk.name()));
      auto blobs = std::make_shared<DurableBlobs>(storage::open_database("code", disk.name()));
      auto packages =
          CodePackages::over(blobs, std::make_shared<PackageRoot>(), CodePackages::BlobLife::kWithPackages);
      Catalog catalog(options(), clock, ids, store, packages);
      for (int i = 0; !disk.is_cut() && i < 20; ++i) {
        const std::string name = "f" + std::to_string(random() % 5);
        const std::string zip = lambed::test::good_zip("# " + std::to_string(random()) + "\n" +
                                                       std::string(random() % 20'000, '#') + "\n");
        const auto present = catalog.get_function_configuration(name);
        const auto made = present.ok() ? catalog.update_function_code({.name = name, .code = Code::zip(zip)})
                                       : catalog.create_function(function(name, zip));
        if (made.ok()) acknowledged[name] = made->code_sha256;
        if (!made.ok()) acknowledged.erase(name);  // one or the other
        if (made.ok() && random() % 3 == 0) static_cast<void>(catalog.publish_version({.name = name}));
      }
      packages->keep_blobs();
    } catch (const storage::Failure&) {
    }
    disk.restore(random);
    auto store = std::make_shared<DurableStore>(storage::open_database("catalogue", disk.name()));
    auto blobs = std::make_shared<DurableBlobs>(storage::open_database("code", disk.name()));
    auto packages =
        CodePackages::over(blobs, std::make_shared<PackageRoot>(), CodePackages::BlobLife::kUntilRemoved);
    Catalog catalog(options(), clock, ids, store, packages);
    for (const auto& [name, sha256] : acknowledged) {
      const auto found = catalog.get_function_configuration(name);
      BOOST_TEST(found.ok(), name);
      if (found.ok()) BOOST_TEST(found->code_sha256 == sha256);
    }
    for (const auto& snapshot : catalog.directory().all()) {
      const auto folder = snapshot->latest->code->task_root();
      BOOST_TEST(folder.ok(), snapshot->name);
      for (const auto& [number, version] : snapshot->versions) BOOST_TEST(version->code->task_root().ok());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_in_words_and_loses_nothing) {
  CuttingDisk disk("full-catalogue");
  SystemClock clock;
  SystemRandom ids;
  auto store = std::make_shared<DurableStore>(storage::open_database("catalogue", disk.name()));
  auto blobs = std::make_shared<DurableBlobs>(storage::open_database("code", disk.name()));
  auto packages =
      CodePackages::over(blobs, std::make_shared<PackageRoot>(), CodePackages::BlobLife::kWithPackages);
  Catalog catalog(options(), clock, ids, store, packages);
  BOOST_TEST(catalog.create_function(function("first", lambed::test::good_zip())).ok());
  disk.fill_after(0);
  const auto refused =
      catalog.create_function(function("second", lambed::test::good_zip(std::string(3'000'000, '#'))));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST(std::string(refused.error().name()) == "ServiceException");
  BOOST_TEST(refused.error().message().find("full") != std::string::npos, refused.error().message());
  BOOST_TEST(catalog.get_function_configuration("first").ok());
  BOOST_TEST(!catalog.get_function_configuration("second").ok());
  disk.fill_after(UINT64_MAX);
  BOOST_TEST(catalog.create_function(function("second", lambed::test::good_zip())).ok());
}

BOOST_AUTO_TEST_CASE(code_that_no_function_names_is_removed) {
  CuttingDisk disk("unused-code");
  const std::string bytes = "bytes", sha256 = to_hex(lambed::sha256(bytes));
  DurableBlobs blobs(storage::open_database("code", disk.name()));
  const auto store = [&] {
    bool sent = false;
    return std::get<0>(Awaited<std::tuple<StoreStatus>>::wait_for([&](auto done) {
      blobs.put(
          sha256,
          [&]() -> std::string_view { return std::exchange(sent, true) ? std::string_view() : bytes; },
          std::move(done));
    }));
  };
  const auto there = [&] {
    using Answer = std::tuple<StoreStatus, bool>;
    return std::get<1>(Awaited<Answer>::wait_for([&](auto done) { blobs.exists(sha256, std::move(done)); }));
  };
  BOOST_TEST((store() == StoreStatus::kOk));
  BOOST_TEST((store() == StoreStatus::kOk));
  blobs.keep_only({sha256});
  BOOST_TEST(there());
  blobs.keep_only({});
  BOOST_TEST(!there());
}

BOOST_AUTO_TEST_SUITE_END()
