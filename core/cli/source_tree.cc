#include "cli/source_tree.h"

#include <fmt/format.h>
#include <zip.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "cli/exit_codes.h"

namespace lambed::cli {
namespace {

namespace fs = std::filesystem;

// Only source files are read here; what is larger is none.
constexpr std::uint64_t kLargestSource = 16 * 1024 * 1024;

class Folder final : public SourceTree {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) {}

  std::optional<std::string> read(const std::string& path) const override {
    std::error_code ignored;
    const fs::path full = path_ / path;
    if (!fs::is_regular_file(full, ignored)) return std::nullopt;
    return read_file(full.string());
  }

  std::vector<std::string> top_names() const override {
    std::set<std::string> names;
    std::error_code failure;
    for (fs::directory_iterator entry(path_, failure), end; !failure && entry != end;
         entry.increment(failure)) {
      std::error_code ignored;
      names.insert(entry->path().filename().string() + (entry->is_directory(ignored) ? "/" : ""));
    }
    return {names.begin(), names.end()};
  }

 private:
  const fs::path path_;
};

class Archive final : public SourceTree {
 public:
  Archive(const std::string& path, const std::string& bytes) {
    zip_error_t failure;
    zip_error_init(&failure);
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &failure);
    if (source != nullptr) archive_ = zip_open_from_source(source, ZIP_RDONLY, &failure);
    if (archive_ == nullptr) {
      if (source != nullptr) zip_source_free(source);
      const std::string cause = zip_error_strerror(&failure);
      zip_error_fini(&failure);
      throw CommandError(
          fmt::format("{}: not a usable .zip archive ({}); make one with `zip -r function.zip .` inside "
                      "the function's folder",
                      path, cause));
    }
    zip_error_fini(&failure);
  }
  ~Archive() override { zip_discard(archive_); }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  std::optional<std::string> read(const std::string& path) const override {
    zip_stat_t facts;
    zip_stat_init(&facts);
    if (zip_stat(archive_, path.c_str(), 0, &facts) != 0 || facts.size > kLargestSource) return std::nullopt;
    zip_file_t* file = zip_fopen_index(archive_, facts.index, 0);
    if (file == nullptr) return std::nullopt;
    std::string text(facts.size, '\0');
    const zip_int64_t size = zip_fread(file, text.data(), text.size());
    zip_fclose(file);
    if (size < 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    return text;
  }

  std::vector<std::string> top_names() const override {
    std::set<std::string> names;
    const zip_int64_t count = zip_get_num_entries(archive_, 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      const char* raw = zip_get_name(archive_, static_cast<zip_uint64_t>(i), 0);
      if (raw == nullptr) continue;
      const std::string name = raw;
      names.insert(name.substr(0, std::min(name.find('/'), name.size() - 1) + 1));
    }
    return {names.begin(), names.end()};
  }

 private:
  zip_t* archive_ = nullptr;
};

}  // namespace

std::unique_ptr<SourceTree> open_folder(const std::string& path) { return std::make_unique<Folder>(path); }

std::unique_ptr<SourceTree> open_zip(const std::string& path, const std::string& bytes) {
  return std::make_unique<Archive>(path, bytes);
}

std::string read_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw CommandError(fmt::format("{}: is a folder, not a file", path));
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw CommandError(fmt::format("{}: {}", path, std::strerror(errno)));
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw CommandError(fmt::format("{}: cannot be read to its end", path));
  return content;
}

}  // namespace lambed::cli
