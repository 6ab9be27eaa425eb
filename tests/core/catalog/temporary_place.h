// A folder of its own for a test, which is TMPDIR while the test runs: what is left behind can be seen. Not for tests at the
// same time in one process.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lambed::test {

class TemporaryPlace {
 public:
  TemporaryPlace() {
    std::string pattern = std::filesystem::temp_directory_path() / "lambed-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
    if (const char* present = std::getenv("TMPDIR")) before_ = present;
    std::filesystem::create_directory(path_ / "tmp");
    setenv("TMPDIR", (path_ / "tmp").c_str(), 1);
  }
  ~TemporaryPlace() {
    if (before_.empty()) {
      unsetenv("TMPDIR");
    } else {
      setenv("TMPDIR", before_.c_str(), 1);
    }
    std::error_code ignored;
    std::filesystem::permissions(path_ / "tmp", std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path path() const { return path_; }
  std::filesystem::path tmp() const { return path_ / "tmp"; }

  // A folder with code: app.py and, in lib/, helper.py.
  std::filesystem::path code(const std::string& name = "code",
                             const std::string& text = "def handler(e, c): return e\n") {
    const auto folder = path_ / name;
    write(folder / "app.py", text);
    write(folder / "lib" / "helper.py", "x = 1\n");
    return folder;
  }

  static void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  static std::string read(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }

  // Files and folders below, relative, folders with a slash at their end, in order.
  static std::vector<std::string> tree(const std::filesystem::path& folder) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      found.push_back(entry.path().lexically_relative(folder).string() + (entry.is_directory() ? "/" : ""));
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  // Nothing but empty folders.
  static bool holds_no_file(const std::filesystem::path& folder) {
    for (const std::string& path : tree(folder)) {
      if (!path.ends_with('/')) return false;
    }
    return true;
  }

 private:
  std::filesystem::path path_;
  std::string before_;
};

}  // namespace lambed::test
