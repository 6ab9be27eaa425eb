#include "catalog/code_packages.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "base/digest.h"
#include "catalog/file_blobs.h"
#include "catalog/folder_archive.h"
#include "temporary_place.h"
#include "zip_builder.h"

using namespace lambed;
using namespace lambed::catalog;
using lambed::test::good_zip;
using lambed::test::TemporaryPlace;
using lambed::test::zip_of;

namespace {

const Quotas kQuotas = Quotas::classic();

bool root_exists(const TemporaryPlace& place) { return !std::filesystem::is_empty(place.tmp()); }

}  // namespace

BOOST_AUTO_TEST_SUITE(code_packages)

BOOST_AUTO_TEST_CASE(nothing_is_on_disk_until_code_must_be_stored) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto live = packages->from_folder(place.code()).value();
  BOOST_TEST(live->task_root().value() == std::filesystem::canonical(place.code()).string());
  BOOST_TEST(live->is_live());
  BOOST_TEST(!root_exists(place));
}

BOOST_AUTO_TEST_CASE(zips_are_unpacked_and_named_by_their_digest) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const std::string zip = good_zip("hello");
  const auto package = packages->from_zip(zip, kQuotas).value();
  BOOST_TEST(TemporaryPlace::read(package->task_root().value() + "/app.py") == "hello");
  BOOST_TEST(package->sha256().value() == to_base64(sha256(zip)));
  BOOST_TEST(package->code_id() == to_hex(sha256(zip)));
  BOOST_TEST(package->size().value() == zip.size());
  BOOST_TEST(!package->is_live());
}

BOOST_AUTO_TEST_CASE(the_store_is_private) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto package = packages->from_zip(good_zip(), kQuotas).value();
  for (const auto& root : std::filesystem::directory_iterator(place.tmp())) {
    struct stat found {};
    BOOST_REQUIRE(::stat(root.path().c_str(), &found) == 0);
    // Of a server that is root workers may enter it, by a group that nobody else has.
    const bool lets_workers_in =
        ::geteuid() == 0 && (found.st_gid == 1'879'999'999 || found.st_gid == 49'999);
    BOOST_TEST((found.st_mode & 07777) == (lets_workers_in ? 0710u : 0700u));
  }
}

BOOST_AUTO_TEST_CASE(equal_code_is_one_folder_that_goes_with_its_last_holder) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  auto first = packages->from_zip(good_zip(), kQuotas).value();
  auto second = packages->from_zip(good_zip(), kQuotas).value();
  const auto other = packages->from_zip(good_zip("other"), kQuotas).value();
  const std::string root = first->task_root().value();
  BOOST_TEST(second->task_root().value() == root);
  BOOST_TEST(other->task_root().value() != root);
  first.reset();
  packages->root().settle();
  BOOST_TEST(std::filesystem::exists(root));
  second.reset();
  packages->root().settle();
  BOOST_TEST(!std::filesystem::exists(root));
  BOOST_TEST(std::filesystem::exists(other->task_root().value()));
}

BOOST_AUTO_TEST_CASE(inline_source_is_a_file_under_its_name) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto package = packages->from_inline("x = 1\n", "pkg/app.py").value();
  BOOST_TEST(TemporaryPlace::read(package->task_root().value() + "/pkg/app.py") == "x = 1\n");
  BOOST_TEST(package->sha256().value() == to_base64(sha256("x = 1\n")));
  const auto renamed = packages->from_inline("x = 1\n", "other.py").value();
  BOOST_TEST(renamed->task_root().value() != package->task_root().value());
  BOOST_TEST(renamed->code_id() != package->code_id());
  BOOST_TEST(packages->from_inline("", "empty.py").value()->size().value() == 0u);
}

BOOST_AUTO_TEST_CASE(everything_is_removed_with_the_store) {
  TemporaryPlace place;
  {
    const auto packages = CodePackages::in_memory();
    const auto zip = packages->from_zip(good_zip(), kQuotas).value();
    const auto text = packages->from_inline("x", "a.py").value();
    BOOST_TEST(root_exists(place));
  }
  BOOST_TEST(!root_exists(place));
}

BOOST_AUTO_TEST_CASE(a_package_outlives_the_store_while_it_is_held) {
  TemporaryPlace place;
  std::shared_ptr<CodePackage> package;
  {
    const auto packages = CodePackages::in_memory();
    package = packages->from_zip(good_zip(), kQuotas).value();
  }
  BOOST_TEST(std::filesystem::exists(package->task_root().value() + "/app.py"));
  package.reset();
  BOOST_TEST(!root_exists(place));
}

BOOST_AUTO_TEST_CASE(refused_code_leaves_nothing) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  BOOST_TEST(!packages->from_zip("no zip", kQuotas).ok());
  BOOST_TEST(!packages->from_zip(zip_of({{"a", "1"}, {"../b", "2"}}), kQuotas).ok());
  BOOST_TEST(!packages->from_zip(zip_of({{"a", "1"}, {"b", "2", 0100644, {}, 7u}}), kQuotas).ok());
  packages->root().settle();
  BOOST_TEST(TemporaryPlace::holds_no_file(place.tmp()));
  BOOST_TEST(packages->from_zip(good_zip(), kQuotas).ok());
}

BOOST_AUTO_TEST_CASE(a_temporary_folder_that_cannot_be_used_is_a_clear_error) {
  TemporaryPlace place;
  setenv("TMPDIR", (place.path() / "absent").c_str(), 1);
  const auto packages = CodePackages::in_memory();
  for (int i = 0; i < 2; ++i) {
    const auto refused = packages->from_zip(good_zip(), kQuotas);
    BOOST_REQUIRE(!refused.ok());
    BOOST_TEST((refused.error().code() == ErrorCode::ServiceException));
    BOOST_TEST(refused.error().message().find("temporary folder") != std::string::npos,
               refused.error().message());
  }
  // It may come back.
  std::filesystem::create_directory(place.path() / "absent");
  BOOST_TEST(packages->from_zip(good_zip(), kQuotas).ok());
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_refused) {
  TemporaryPlace place;
  TemporaryPlace::write(place.path() / "file", "x");
  const auto packages = CodePackages::in_memory();
  for (const auto& path : {place.path() / "missing", place.path() / "file", std::filesystem::path("")}) {
    const auto refused = packages->from_folder(path);
    BOOST_REQUIRE(!refused.ok());
    BOOST_TEST(refused.error().message() ==
               "The code folder '" + path.string() + "' does not exist or is not a folder.");
  }
  const auto folder = place.code();
  const auto live = packages->from_folder(folder).value();
  std::filesystem::remove_all(folder);
  BOOST_TEST((live->task_root().error().code() == ErrorCode::ServiceException));
  BOOST_TEST((live->sha256().error().code() == ErrorCode::ServiceException));
}

// ---- Live folders

BOOST_AUTO_TEST_CASE(the_digest_of_a_folder_depends_on_names_contents_and_executable_bits_alone) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto one = packages->from_folder(place.code("one")).value();
  const auto two = packages->from_folder(place.code("two")).value();
  const std::string digest = one->sha256().value();
  BOOST_TEST(two->sha256().value() == digest);
  BOOST_TEST(one->code_id() != two->code_id());
  BOOST_TEST(one->size().value() == std::string("def handler(e, c): return e\n").size() + 6);

  TemporaryPlace::write(place.path() / "two/app.py", "changed");
  const std::string changed = two->sha256().value();
  BOOST_TEST(changed != digest);
  TemporaryPlace::write(place.path() / "two/app.py", "def handler(e, c): return e\n");
  BOOST_TEST(two->sha256().value() == digest);
  std::filesystem::rename(place.path() / "two/app.py", place.path() / "two/app2.py");
  BOOST_TEST(two->sha256().value() != digest);
  std::filesystem::rename(place.path() / "two/app2.py", place.path() / "two/app.py");
  std::filesystem::permissions(place.path() / "two/app.py", std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);
  BOOST_TEST(two->sha256().value() != digest);
  std::filesystem::permissions(place.path() / "two/app.py", std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::remove);
  std::filesystem::create_directory(place.path() / "two/new");
  BOOST_TEST(two->sha256().value() != digest);
  std::filesystem::remove(place.path() / "two/new");
  // What running the code leaves behind is not the code.
  TemporaryPlace::write(place.path() / "two/lib/__pycache__/helper.pyc", "x");
  BOOST_TEST(two->sha256().value() == digest);
}

BOOST_AUTO_TEST_CASE(a_frozen_folder_is_a_copy_that_stays) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto folder = place.code();
  std::filesystem::permissions(folder / "app.py", std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);
  std::filesystem::create_symlink("lib/helper.py", folder / "link.py");
  std::filesystem::create_directory(folder / "empty");
  const auto live = packages->from_folder(folder).value();
  const auto frozen = packages->freeze(live, kQuotas).value();
  BOOST_TEST(!frozen->is_live());
  BOOST_TEST(frozen->sha256().value() == live->sha256().value());
  const std::filesystem::path copy = frozen->task_root().value();
  BOOST_TEST(TemporaryPlace::tree(copy) == TemporaryPlace::tree(folder), boost::test_tools::per_element());
  BOOST_TEST(TemporaryPlace::read(copy / "link.py") == "x = 1\n");
  BOOST_TEST(::access((copy / "app.py").c_str(), X_OK) == 0);

  TemporaryPlace::write(folder / "app.py", "changed");
  BOOST_TEST(TemporaryPlace::read(copy / "app.py") == "def handler(e, c): return e\n");
  BOOST_TEST(packages->freeze(live, kQuotas).value()->task_root().value() != copy);
  BOOST_TEST(packages->freeze(frozen, kQuotas).value() == frozen);
}

BOOST_AUTO_TEST_CASE(folders_that_cannot_be_copied_are_refused) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  const auto refused = [&](const std::filesystem::path& folder, const Quotas& quotas = kQuotas) {
    const auto result = packages->freeze(packages->from_folder(folder).value(), quotas);
    BOOST_REQUIRE(!result.ok());
    BOOST_TEST((result.error().code() == ErrorCode::InvalidParameterValueException));
    return result.error().message();
  };
  const auto outside = place.code("outside");
  std::filesystem::create_symlink("/etc/passwd", outside / "l");
  BOOST_TEST(refused(outside).find("l is a symbolic link that may lead outside") != std::string::npos);
  const auto climbing = place.code("climbing");
  std::filesystem::create_symlink("../outside", climbing / "l");
  BOOST_TEST(refused(climbing).find("symbolic link") != std::string::npos);
  const auto pipe = place.code("pipe");
  BOOST_REQUIRE(::mkfifo((pipe / "p").c_str(), 0600) == 0);
  BOOST_TEST(refused(pipe).find("p is neither a file") != std::string::npos);
  Quotas small;
  small.unzipped_code = 10;
  BOOST_TEST(refused(place.code("large"), small) == "Unzipped size must be smaller than 10 bytes");
  packages->root().settle();
  BOOST_TEST(TemporaryPlace::holds_no_file(place.tmp()));
}

// ---- What another process will do: unpack from blobs it did not write

BOOST_AUTO_TEST_CASE(packages_are_unpacked_from_blobs_when_they_are_first_needed) {
  TemporaryPlace place;
  const auto root = std::make_shared<PackageRoot>();
  const auto blobs = std::make_shared<FileBlobs>(root);
  std::vector<CodeReference> references;
  {
    const auto writer = CodePackages::over(blobs, root, CodePackages::BlobLife::kUntilRemoved);
    references.push_back(writer->from_zip(good_zip("zip"), kQuotas).value()->reference());
    references.push_back(writer->from_inline("inline", "app.py").value()->reference());
    references.push_back(
        writer->freeze(writer->from_folder(place.code("c", "frozen")).value(), kQuotas).value()->reference());
  }
  root->settle();
  const auto reader = CodePackages::over(blobs, root, CodePackages::BlobLife::kUntilRemoved);
  const char* texts[] = {"zip", "inline", "frozen"};
  for (int i = 0; i < 3; ++i) {
    const auto package = reader->open(references[i]);
    BOOST_TEST(TemporaryPlace::read(package->task_root().value() + "/app.py") == texts[i]);
    BOOST_TEST(reader->open(references[i]) == package);
  }
  CodeReference missing = references[0];
  missing.blob = std::string(64, '0');
  BOOST_TEST((reader->open(missing)->task_root().error().code() == ErrorCode::ServiceException));
}

BOOST_AUTO_TEST_CASE(a_damaged_folder_archive_is_refused_and_leaves_nothing) {
  TemporaryPlace place;
  for (const std::string bytes : {"x", "f 1", "f 1 1\na", "f 1 99999999999999999999\naa", "q 1 1\nab",
                                  "f 3 1\n../a", "l 1 2\na..", "f 9999999 1\na", "f  1 1\na", "f 1 1 \naa"}) {
    TemporaryPlace::write(place.path() / "archive", bytes);
    const auto done = unpack_folder(place.path() / "archive", place.path() / "out");
    BOOST_REQUIRE(!done.ok());
    BOOST_TEST((done.error().code() == ErrorCode::ServiceException), bytes);
    BOOST_TEST(!std::filesystem::exists(place.path() / "out"));
  }
}

// ---- Many at once

BOOST_AUTO_TEST_CASE(threads_that_store_and_drop_equal_code_never_lose_it) {
  TemporaryPlace place;
  const auto packages = CodePackages::in_memory();
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = "v" + std::to_string((t + i) % 3);
        const auto package = packages->from_zip(good_zip(text), kQuotas);
        if (!package.ok() || TemporaryPlace::read((*package)->task_root().value() + "/app.py") != text)
          ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  BOOST_TEST(failures == 0);
  packages->root().settle();
  BOOST_TEST(TemporaryPlace::holds_no_file(place.tmp()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(package_roots)

BOOST_AUTO_TEST_CASE(the_root_of_a_dead_process_is_swept_and_a_living_ones_is_not) {
  TemporaryPlace place;
  const pid_t child = ::fork();
  if (child == 0) {
    // Dies without tidying up.
    PackageRoot root;
    const bool made = root.fresh_path("code").ok();
    ::_exit(made ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_REQUIRE(status == 0);
  BOOST_REQUIRE(root_exists(place));
  const auto stale = std::filesystem::directory_iterator(place.tmp())->path();

  PackageRoot first, second;
  BOOST_TEST(first.fresh_path("code").ok());
  BOOST_TEST(!std::filesystem::exists(stale));
  BOOST_TEST(second.fresh_path("code").ok());
  sweep_stale_roots(place.tmp());
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(place.tmp()),
                           std::filesystem::directory_iterator()) == 2);
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_a_root_is_left_alone) {
  TemporaryPlace place;
  TemporaryPlace::write(place.tmp() / "lambed-packages-file", "x");
  TemporaryPlace::write(place.tmp() / "other" / "x", "x");
  std::filesystem::create_symlink("other", place.tmp() / "lambed-packages-link");
  sweep_stale_roots(place.tmp());
  BOOST_TEST(TemporaryPlace::read(place.tmp() / "other" / "x") == "x");
  BOOST_TEST(std::filesystem::exists(place.tmp() / "lambed-packages-file"));
}

BOOST_AUTO_TEST_CASE(a_forked_child_leaves_its_parents_root_alone) {
  TemporaryPlace place;
  auto root = std::make_unique<PackageRoot>();
  const std::string path = root->fresh_path("code").value();
  std::filesystem::create_directory(path);
  const pid_t child = ::fork();
  if (child == 0) {
    root->discard(path);
    root.reset();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(std::filesystem::exists(path));
}

BOOST_AUTO_TEST_SUITE_END()
