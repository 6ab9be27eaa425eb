#include "catalog/zip_archive.h"

#include <sys/stat.h>
#include <zip.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "temporary_place.h"
#include "zip_builder.h"

using namespace lambed;
using namespace lambed::catalog;
using lambed::test::TemporaryPlace;
using lambed::test::zip_of;
using lambed::test::ZipEntry;

namespace {

constexpr char kBadZip[] =
    "Could not unzip uploaded file. Please check your file, then try to upload again. (";

struct Attack {
  std::string name;
  std::string zip;
  std::string cause;  // part of the message
  friend std::ostream& operator<<(std::ostream& out, const Attack& attack) { return out << attack.name; }
};

constexpr std::uint32_t kLink = 0120777;

const std::vector<Attack> kAttacks = {
    {"parent", zip_of({{"../evil.py", "x"}}), "leads outside"},
    {"parent in the middle", zip_of({{"a/../../evil.py", "x"}}), "leads outside"},
    {"parent that stays inside", zip_of({{"a/../evil.py", "x"}}), "leads outside"},
    {"absolute", zip_of({{"/etc/evil", "x"}}), "leads outside"},
    {"dot", zip_of({{"./a.py", "x"}}), "leads outside"},
    {"empty part", zip_of({{"a//b.py", "x"}}), "leads outside"},
    {"empty name", zip_of({{"", "x"}}), "leads outside"},
    {"slash alone", zip_of({{"/", ""}}), "leads outside"},
    {"backslash", zip_of({{"..\\evil.py", "x"}}), "leads outside"},
    {"long name", zip_of({{std::string(256, 'n'), "x"}}), "name that is too long"},
    {"long path",
     zip_of({{[] {
                std::string path;
                for (int i = 0; i < 1100; ++i) path += "d/";
                return path + "f";
              }(),
              "x"}}),
     "name that is too long"},
    {"twice", zip_of({{"app.py", "1"}, {"app.py", "2"}}), "occurs twice"},
    {"file and folder", zip_of({{"a", "1"}, {"a/b", "2"}}), "both a file and a folder"},
    {"folder and file", zip_of({{"a/b", "2"}, {"a", "1"}}), "both a file and a folder"},
    {"file and empty folder", zip_of({{"a/", ""}, {"a", "1"}}), "both a file and a folder"},
    {"link to parent", zip_of({{"l", "..", kLink}}), "symbolic link"},
    {"link to root", zip_of({{"l", "/etc", kLink}}), "symbolic link"},
    {"link that climbs late", zip_of({{"a/b/c", "../x", kLink}, {"a/b/d", "c/../../y", kLink}}),
     "symbolic link"},
    {"link too deep up", zip_of({{"a/l", "../../x", kLink}}), "symbolic link"},
    {"link and file in it", zip_of({{"l", "a", kLink}, {"l/x", "1"}}), "both a file and a folder"},
    {"empty link", zip_of({{"l", "", kLink}}), "symbolic link"},
    {"endless link", zip_of({{"l", std::string(5000, 'x'), kLink}}), "overlong target"},
    {"device", zip_of({{"d", "", 0020644}}), "neither a file"},
    {"fifo", zip_of({{"p", "", 0010644}}), "neither a file"},
    {"encrypted", zip_of({{"a", "0123456789abcdef", 0100644, 4, {}, 1}}), "is encrypted"},
    {"wrong checksum", zip_of({{"a", "content", 0100644, {}, 0x12345678u}}), "is damaged"},
    {"larger than declared", zip_of({{"a", "0123456789", 0100644, 3}}), "entry 'a'"},
    {"smaller than declared", zip_of({{"a", "0123", 0100644, 10}}), "entry 'a'"},
    {"unknown method", zip_of({{"a", "x", 0100644, {}, {}, 0, 77}}), "cannot be read"},
    {"no zip", "this is no zip", "zip"},
    {"cut short", zip_of({{"app.py", "x"}}).substr(0, 40), "zip"},
};

std::string deflated_zeros(std::size_t size) {
  const std::string zeros(size, '\0');
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* out = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(out);
  zip_t* archive = zip_open_from_source(out, ZIP_TRUNCATE, &error);
  zip_file_add(archive, "bomb", zip_source_buffer(archive, zeros.data(), zeros.size(), 0), 0);
  BOOST_REQUIRE(zip_close(archive) == 0);
  zip_source_open(out);
  zip_source_seek(out, 0, SEEK_END);
  std::string bytes(static_cast<std::size_t>(zip_source_tell(out)), '\0');
  zip_source_seek(out, 0, SEEK_SET);
  zip_source_read(out, bytes.data(), bytes.size());
  zip_source_close(out);
  zip_source_free(out);
  return bytes;
}

// Replaces the declared size wherever a header of the archive has it.
void declare(std::string& zip, std::uint32_t actual, std::uint32_t declared) {
  const auto bytes_of = [](std::uint32_t v) {
    return std::string{static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
                       static_cast<char>(v >> 24)};
  };
  int replaced = 0;
  for (auto at = zip.find(bytes_of(actual)); at != std::string::npos;
       at = zip.find(bytes_of(actual), at + 1)) {
    zip.replace(at, 4, bytes_of(declared));
    ++replaced;
  }
  BOOST_REQUIRE(replaced == 2);
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  BOOST_REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zip_archives)

BOOST_AUTO_TEST_CASE(files_folders_and_executable_bits_are_unpacked) {
  TemporaryPlace place;
  const mode_t mask = ::umask(022);
  const auto folder = place.path() / "out";
  const auto done = extract_zip(zip_of({{"app.py", "a"},
                                        {"bin/", "", 0040700},
                                        {"bin/tool", "#!/bin/sh\n", 0100755},
                                        {"deep/er/file", "b", 0100000},
                                        {"secret", "c", 0106777},
                                        {"from-windows.py", "d", 0},
                                        {"empty/", "", 0}}),
                                folder, Quotas::classic());
  ::umask(mask);
  BOOST_REQUIRE(done.ok());
  const std::vector<std::string> expected = {"app.py",       "bin/",   "bin/tool",        "deep/", "deep/er/",
                                             "deep/er/file", "empty/", "from-windows.py", "secret"};
  BOOST_TEST(TemporaryPlace::tree(folder) == expected, boost::test_tools::per_element());
  BOOST_TEST(TemporaryPlace::read(folder / "deep/er/file") == "b");
  BOOST_TEST(mode_of(folder / "app.py") == 0644u);
  BOOST_TEST(mode_of(folder / "bin/tool") == 0755u);
  BOOST_TEST(mode_of(folder / "bin") == 0755u);
  BOOST_TEST(mode_of(folder / "deep/er/file") == 0644u);
  BOOST_TEST(mode_of(folder / "secret") == 0755u);  // neither set-user-id nor writable by all
  BOOST_TEST(mode_of(folder / "from-windows.py") == 0644u);
}

BOOST_AUTO_TEST_CASE(links_that_stay_inside_are_kept) {
  TemporaryPlace place;
  const auto folder = place.path() / "out";
  BOOST_REQUIRE(extract_zip(zip_of({{"node_modules/.bin/tool", "../tool/cli.js", kLink},
                                    {"current", "releases/1", kLink},
                                    {"node_modules/tool/cli.js", "x", 0100755},
                                    {"releases/1/app.py", "y"}}),
                            folder, Quotas::classic())
                    .ok());
  BOOST_TEST(TemporaryPlace::read(folder / "node_modules/.bin/tool") == "x");
  BOOST_TEST(TemporaryPlace::read(folder / "current/app.py") == "y");
}

BOOST_DATA_TEST_CASE(attacks_and_broken_zips_are_refused_and_leave_nothing,
                     boost::unit_test::data::make(kAttacks), attack) {
  TemporaryPlace place;
  const auto folder = place.path() / "inner" / "out";
  std::filesystem::create_directory(place.path() / "inner");
  const auto done = extract_zip(attack.zip, folder, Quotas::classic());
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(done.error().message().starts_with(kBadZip), done.error().message());
  BOOST_TEST(done.error().message().find(attack.cause) != std::string::npos, done.error().message());
  BOOST_TEST(TemporaryPlace::tree(place.path() / "inner").empty());
  BOOST_TEST(TemporaryPlace::holds_no_file(place.path()));
}

BOOST_AUTO_TEST_CASE(an_empty_zip_is_refused) {
  TemporaryPlace place;
  for (const std::string& bytes : {zip_of({}), std::string()}) {
    const auto done = extract_zip(bytes, place.path() / "out", Quotas::classic());
    BOOST_REQUIRE(!done.ok());
    BOOST_TEST(done.error().message() == "Uploaded file must be a non-empty zip");
    BOOST_TEST(!std::filesystem::exists(place.path() / "out"));
  }
}

BOOST_AUTO_TEST_CASE(the_zipped_size_is_limited) {
  TemporaryPlace place;
  Quotas quotas;
  const std::string zip = zip_of({{"app.py", "x"}});
  quotas.zip_upload = zip.size();
  BOOST_TEST(extract_zip(zip, place.path() / "out", quotas).ok());
  quotas.zip_upload = zip.size() - 1;
  const auto done = extract_zip(zip, place.path() / "out2", quotas);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == ErrorCode::RequestEntityTooLargeException));
  BOOST_TEST(done.error().message() ==
             "Zipped size must be smaller than " + std::to_string(quotas.zip_upload) + " bytes");
  BOOST_TEST(Quotas::classic().zip_upload == 52'428'800u);
}

BOOST_AUTO_TEST_CASE(the_unzipped_size_is_limited) {
  TemporaryPlace place;
  Quotas quotas;
  quotas.unzipped_code = 1000;
  BOOST_TEST(extract_zip(zip_of({{"a", std::string(600, 'x')}, {"b", std::string(400, 'x')}}),
                         place.path() / "out", quotas)
                 .ok());
  const auto done = extract_zip(zip_of({{"a", std::string(600, 'x')}, {"b", std::string(401, 'x')}}),
                                place.path() / "out2", quotas);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(done.error().message() == "Unzipped size must be smaller than 1000 bytes");
  BOOST_TEST(!std::filesystem::exists(place.path() / "out2"));
  BOOST_TEST(Quotas::classic().unzipped_code == 262'144'000u);
}

BOOST_AUTO_TEST_CASE(a_bomb_is_defused_by_what_comes_out_and_not_by_what_it_says) {
  TemporaryPlace place;
  Quotas quotas;
  quotas.unzipped_code = 1'000'000;
  std::string bomb = deflated_zeros(8'000'000);
  BOOST_TEST(bomb.size() < 20'000u);
  const auto honest = extract_zip(bomb, place.path() / "out", quotas);
  BOOST_REQUIRE(!honest.ok());
  BOOST_TEST(honest.error().message() == "Unzipped size must be smaller than 1000000 bytes");
  declare(bomb, 8'000'000, 500);
  const auto lying = extract_zip(bomb, place.path() / "out", quotas);
  BOOST_REQUIRE(!lying.ok());
  BOOST_TEST(!std::filesystem::exists(place.path() / "out"));
}

BOOST_AUTO_TEST_CASE(too_many_entries_are_refused) {
  TemporaryPlace place;
  // A classic zip counts to 65535; more need its 64-bit form, which libzip writes.
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* out = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(out);
  zip_t* archive = zip_open_from_source(out, ZIP_TRUNCATE, &error);
  for (int i = 0; i <= 100'000; ++i) zip_dir_add(archive, std::to_string(i).c_str(), 0);
  BOOST_REQUIRE(zip_close(archive) == 0);
  zip_source_open(out);
  zip_source_seek(out, 0, SEEK_END);
  std::string bytes(static_cast<std::size_t>(zip_source_tell(out)), '\0');
  zip_source_seek(out, 0, SEEK_SET);
  zip_source_read(out, bytes.data(), bytes.size());
  zip_source_close(out);
  zip_source_free(out);
  const auto done = extract_zip(bytes, place.path() / "out", Quotas::classic());
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST(done.error().message().find("more than 100000 entries") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_written_is_an_error_of_the_service) {
  TemporaryPlace place;
  const auto done =
      extract_zip(zip_of({{"app.py", "x"}}), place.path() / "missing" / "out", Quotas::classic());
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code() == ErrorCode::ServiceException));
  BOOST_TEST(done.error().message().find("No such file or directory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_folder_that_exists_is_left_alone) {
  TemporaryPlace place;
  TemporaryPlace::write(place.path() / "out" / "mine", "x");
  BOOST_TEST(!extract_zip(zip_of({{"app.py", "x"}}), place.path() / "out", Quotas::classic()).ok());
  BOOST_TEST(TemporaryPlace::read(place.path() / "out" / "mine") == "x");
}

BOOST_AUTO_TEST_SUITE_END()
