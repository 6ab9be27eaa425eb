// Code packages from strangers: what is refused leaves nothing, what is accepted lies wholly inside its folder and within the
// quota.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "catalog/zip_archive.h"
#include "fuzz/fuzz.h"

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMost = 64 * 1024;

const fs::path& place() {
  static const fs::path kPlace = [] {
    std::string pattern = (fs::temp_directory_path() / "lambed-zip-fuzz-XXXXXX").string();
    FUZZ_EXPECT(::mkdtemp(pattern.data()) != nullptr);
    static std::string made;
    made = pattern;
    std::atexit([] {
      std::error_code ignored;
      fs::remove_all(made, ignored);
    });
    return fs::path(pattern);
  }();
  return kPlace;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lambed::Quotas quotas;
  quotas.unzipped_code = kMost;
  const fs::path folder = place() / "inner" / "out";
  fs::create_directories(folder.parent_path());
  const auto done =
      lambed::catalog::extract_zip(std::string(reinterpret_cast<const char*>(data), size), folder, quotas);
  FUZZ_EXPECT(fs::exists(folder) == done.ok());
  if (done.ok()) {
    std::uint64_t total = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_symlink()) {
        const fs::path target =
            (entry.path().parent_path() / fs::read_symlink(entry.path())).lexically_normal();
        FUZZ_EXPECT(target.string().starts_with(folder.string()));
      } else if (entry.is_regular_file()) {
        total += entry.file_size();
      } else {
        FUZZ_EXPECT(entry.is_directory());
      }
    }
    FUZZ_EXPECT(total <= kMost);
    fs::remove_all(folder);
  }
  // Nothing beside it either.
  FUZZ_EXPECT(fs::is_empty(folder.parent_path()));
  fs::remove(folder.parent_path());
  FUZZ_EXPECT(fs::is_empty(place()));
  return 0;
}
