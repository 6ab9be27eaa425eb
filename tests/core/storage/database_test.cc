// The database: its layout through all versions, its writer, its folder.
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "core/cli/temporary_folder.h"
#include "storage/committer.h"
#include "storage/data_folder.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed::storage;
using lambed::testing::CuttingDisk;
using lambed::testing::TemporaryFolder;

namespace {

Commit write(Committer& committer, const std::string& key, const std::string& bytes = "x") {
  std::promise<Commit> end;
  committer.submit(
      [&](Connection& connection) {
        Statement insert(connection, "INSERT OR REPLACE INTO entity (key, bytes, rev) VALUES (?1, ?2, 1)");
        insert.bind(1, key).bind_blob(2, bytes).run();
      },
      [&](Commit commit) { end.set_value(commit); });
  return end.get_future().get();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_database)

BOOST_AUTO_TEST_CASE(every_older_layout_becomes_the_present_one_and_keeps_what_it_holds) {
  for (int version = 0; version <= kSchemaVersion; ++version) {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/db";
    {
      const auto old = open_database_of(version, path);
      if (version >= 1) old->run("INSERT INTO entity VALUES ('k', x'6162', 7)");
      if (version >= 2)
        old->run("INSERT INTO content VALUES ('s', 2); INSERT INTO piece VALUES ('s', 0, x'6162')");
      if (version >= 3)
        old->run(
            "INSERT INTO lane VALUES (1, 'l'); INSERT INTO event VALUES (5, 1, 9, 0, 9, 'name', x'6162')");
      if (version >= 4) old->run("INSERT INTO dead_letter VALUES (3, 's', 'd', 'f', '{}', x'6162', x'')");
    }
    const auto now = open_database(path);
    BOOST_TEST(now->number("PRAGMA user_version") == kSchemaVersion);
    BOOST_TEST(now->text("SELECT bytes FROM entity WHERE key = 'k'") == (version >= 1 ? "ab" : ""));
    BOOST_TEST(now->text("SELECT bytes FROM piece WHERE sha256 = 's'") == (version >= 2 ? "ab" : ""));
    BOOST_TEST(now->text("SELECT body FROM event WHERE id = 'name'") == (version >= 3 ? "ab" : ""));
    BOOST_TEST(now->text("SELECT request FROM dead_letter WHERE delivery = 'd'") ==
               (version >= 4 ? "ab" : ""));
  }
}

// The bytes of the first layout are history: what this file says must never change.
BOOST_AUTO_TEST_CASE(the_first_layout_is_what_it_was) {
  const TemporaryFolder folder;
  const auto first = open_database_of(1, folder.path() + "/db");
  BOOST_TEST(
      first->text("SELECT sql FROM sqlite_master WHERE name = 'entity'") ==
      "CREATE TABLE entity (key TEXT PRIMARY KEY, bytes BLOB NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID");
}

BOOST_AUTO_TEST_CASE(commits_wait_for_the_disk) {
  const TemporaryFolder folder;
  const auto database = open_database(folder.path() + "/db");
  BOOST_TEST(database->number("PRAGMA synchronous") == 2);  // FULL
  BOOST_TEST(database->text("PRAGMA journal_mode") == "wal");
}

BOOST_AUTO_TEST_CASE(a_newer_or_foreign_database_is_refused_in_words) {
  const TemporaryFolder folder;
  const std::string newer = folder.path() + "/newer";
  open_database(newer)->run("PRAGMA user_version = 99");
  BOOST_CHECK_EXCEPTION(open_database(newer), Failure, [](const Failure& failure) {
    return std::string(failure.what()).find("written by a newer lambed (layout 99") != std::string::npos;
  });
  const std::string foreign = folder.path() + "/foreign";
  Connection(foreign).run("CREATE TABLE theirs (x)");
  BOOST_CHECK_EXCEPTION(open_database(foreign), Failure, [](const Failure& failure) {
    return std::string(failure.what()).find("a database of another program") != std::string::npos;
  });
  const std::string garbage = folder.file("garbage", std::string(5000, 'x'));
  BOOST_CHECK_THROW(open_database(garbage), Failure);
}

BOOST_AUTO_TEST_CASE(writers_that_come_together_share_commits) {
  const TemporaryFolder folder;
  Committer committer(open_database(folder.path() + "/db"));
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  committer.submit([opened](Connection&) { opened.wait(); }, [](Commit) {});
  std::vector<std::future<Commit>> ends;
  for (int i = 0; i < 50; ++i) {
    auto end = std::make_shared<std::promise<Commit>>();
    ends.push_back(end->get_future());
    committer.submit(
        [i](Connection& c) {
          c.run(("INSERT INTO entity VALUES ('" + std::to_string(i) + "', x'', 1)").c_str());
        },
        [end](Commit commit) { end->set_value(commit); });
  }
  const auto before = committer.commits();
  gate.set_value();
  for (auto& end : ends) BOOST_TEST((end.get() == Commit::kDone));
  // The one that waited, and all others together; or all of them.
  BOOST_TEST(committer.commits() - before <= 2u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_the_large_and_takes_the_small) {
  CuttingDisk disk("full-disk");
  Committer committer(open_database("db", disk.name()));
  BOOST_TEST((write(committer, "a") == Commit::kDone));
  disk.fill_after(200'000);
  BOOST_TEST((write(committer, "big", std::string(1'000'000, 'x')) == Commit::kRefused));
  BOOST_TEST(committer.trouble().find("full") != std::string::npos, committer.trouble());
  BOOST_TEST((write(committer, "b") == Commit::kDone));
  BOOST_TEST(committer.trouble() == "");
  disk.fill_after(UINT64_MAX);
  BOOST_TEST((write(committer, "big", std::string(1'000'000, 'x')) == Commit::kDone));
}

BOOST_AUTO_TEST_CASE(a_folder_serves_one_process) {
  const TemporaryFolder parent;
  const std::string path = parent.path() + "/a/data";
  auto first = std::make_unique<DataFolder>(path);
  struct stat status {};
  ::stat(path.c_str(), &status);
  BOOST_TEST((status.st_mode & 0777) == 0700u);
  BOOST_CHECK_EXCEPTION(DataFolder second(path), std::runtime_error, [](const std::runtime_error& error) {
    return std::string(error.what()).find("another server uses this folder") != std::string::npos;
  });
  first.reset();
  BOOST_CHECK_NO_THROW(DataFolder third(path));
  BOOST_CHECK_THROW(DataFolder file(parent.file("file", "")), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
