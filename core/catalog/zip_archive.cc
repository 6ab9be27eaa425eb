#include "catalog/zip_archive.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/json.h"
#include "catalog/files.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace {

// A zip of 50 MB has room for half a million empty entries; packages that work on Lambda have a tenth of this.
constexpr zip_int64_t kMaxEntries = 100'000;
constexpr std::size_t kMaxLinkTarget = 4096;
constexpr std::size_t kMaxPath = 2048;  // leaves room for the package store's own folder within PATH_MAX

Error bad_zip(const std::string& cause) {
  return model::invalid_parameter(
      "Could not unzip uploaded file. Please check your file, then try to upload again. (" + cause + ")");
}

std::string shown(std::string_view name) {
  return is_utf8(name) ? std::string(name.substr(0, 200)) : std::string("<not UTF-8>");
}

Error bad_entry(std::string_view name, const std::string& cause) {
  return bad_zip(fmt::format("the entry '{}' {}", shown(name), cause));
}

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using OpenEntry = std::unique_ptr<zip_file_t, CloseEntry>;

Result<Archive> open_archive(const std::string& bytes) {
  zip_error_t error;
  zip_error_init(&error);
  const auto failed = [&error]() -> Error {
    Error result = bad_zip(zip_error_strerror(&error));
    zip_error_fini(&error);
    return result;
  };
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) return failed();
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (archive == nullptr) {
    zip_source_free(source);
    return failed();
  }
  zip_error_fini(&error);
  return Archive(archive);
}

bool has_overlong_name(std::string_view path) {
  if (path.size() > kMaxPath) return true;
  std::size_t part = 0;
  for (const char c : path) {
    part = c == '/' ? 0 : part + 1;
    if (part > NAME_MAX) return true;
  }
  return false;
}

enum class Kind { kFile, kFolder, kLink };

struct Entry {
  zip_uint64_t index;
  std::string path;  // safe
  Kind kind;
  bool executable;
  std::uint64_t declared_size;
};

class Extraction {
 public:
  Extraction(zip_t* archive, std::string folder, const Quotas& quotas)
      : archive_(archive), folder_(std::move(folder)), quotas_(quotas) {}

  Result<void> unpack() {
    std::vector<std::pair<std::string, std::string>> links;
    for (const Entry& entry : entries_) {
      Result<void> done;
      if (entry.kind == Kind::kFolder) {
        done = make_folders(entry.path);
      } else if (entry.kind == Kind::kFile) {
        done = extract_file(entry);
      } else {
        std::string target;
        done = read_link(entry, target);
        links.emplace_back(entry.path, std::move(target));
      }
      if (!done.ok()) return done;
    }
    // Links last: while files are written there is none to be led astray by.
    for (const auto& [path, target] : links) {
      if (auto parent = make_parent(path); !parent.ok()) return parent;
      const std::string at = folder_ + "/" + path;
      if (::symlink(target.c_str(), at.c_str()) != 0) return disk_error("create", at, errno);
    }
    return {};
  }

  // Everything that can be seen without unpacking.
  Result<void> list() {
    const zip_int64_t count = zip_get_num_entries(archive_, 0);
    if (count <= 0) return model::invalid_parameter("Uploaded file must be a non-empty zip");
    if (count > kMaxEntries) return bad_zip(fmt::format("more than {} entries", kMaxEntries));
    std::set<std::string> taken;    // files and links
    std::set<std::string> folders;  // named or implied
    std::uint64_t declared = 0;
    for (zip_int64_t i = 0; i < count; ++i) {
      auto entry = describe(static_cast<zip_uint64_t>(i));
      if (!entry.ok()) return entry.error();
      declared += entry->declared_size;
      if (declared > quotas_.unzipped_code) return too_large();
      if (entry->kind == Kind::kFolder) {
        folders.insert(entry->path);
      } else if (!taken.insert(entry->path).second) {
        return bad_entry(entry->path, "occurs twice");
      }
      for (auto slash = entry->path.find('/'); slash != std::string::npos;
           slash = entry->path.find('/', slash + 1)) {
        folders.insert(entry->path.substr(0, slash));
      }
      entries_.push_back(std::move(*entry));
    }
    for (const std::string& path : taken) {
      if (folders.count(path) > 0) return bad_entry(path, "is both a file and a folder");
    }
    return {};
  }

 private:
  Result<Entry> describe(zip_uint64_t index) const {
    zip_stat_t stat;
    if (zip_stat_index(archive_, index, 0, &stat) != 0 || (stat.valid & ZIP_STAT_NAME) == 0 ||
        (stat.valid & ZIP_STAT_SIZE) == 0) {
      return bad_zip(fmt::format("entry {} has no name or size", index));
    }
    std::string path = stat.name;
    const bool names_folder = path.ends_with('/');
    if (names_folder) path.pop_back();
    if (!is_safe_path(path)) {
      return bad_entry(stat.name,
                       "leads outside of the package or is no relative path with '/' between its parts");
    }
    if (has_overlong_name(path)) return bad_entry(path, "has a name that is too long");
    if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
      return bad_entry(path, "is encrypted");
    }
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    mode_t mode = 0;
    if (zip_file_get_external_attributes(archive_, index, 0, &system, &attributes) == 0 &&
        system == ZIP_OPSYS_UNIX) {
      mode = static_cast<mode_t>(attributes >> 16);
    }
    Kind kind = names_folder ? Kind::kFolder : Kind::kFile;
    switch (mode & S_IFMT) {
      case 0:
        break;
      case S_IFREG:
        break;
      case S_IFDIR:
        kind = Kind::kFolder;
        break;
      case S_IFLNK:
        kind = Kind::kLink;
        break;
      default:
        return bad_entry(path, "is neither a file, a folder nor a symbolic link");
    }
    if (names_folder && kind == Kind::kLink) return bad_entry(path, "is both a folder and a symbolic link");
    return Entry{index, std::move(path), kind, (mode & 0111) != 0, kind == Kind::kFolder ? 0 : stat.size};
  }

  Error too_large() const {
    return model::invalid_parameter(
        fmt::format("Unzipped size must be smaller than {} bytes", quotas_.unzipped_code));
  }

  template <class Piece>
  Result<void> read(const Entry& entry, Piece piece) {
    const OpenEntry open(zip_fopen_index(archive_, entry.index, 0));
    if (!open) return bad_entry(entry.path, "cannot be read: " + std::string(zip_strerror(archive_)));
    std::uint64_t size = 0;
    for (;;) {
      const zip_int64_t got = zip_fread(open.get(), buffer_.data(), buffer_.size());
      if (got < 0) {
        return bad_entry(entry.path,
                         std::string("is damaged: ") + zip_error_strerror(zip_file_get_error(open.get())));
      }
      if (got == 0) break;
      size += static_cast<std::uint64_t>(got);
      unzipped_ += static_cast<std::uint64_t>(got);
      if (unzipped_ > quotas_.unzipped_code) return too_large();
      if (size > entry.declared_size) return bad_entry(entry.path, "is larger than it says");
      if (auto taken = piece(std::string_view(buffer_.data(), static_cast<std::size_t>(got))); !taken.ok())
        return taken;
    }
    if (size != entry.declared_size) return bad_entry(entry.path, "is smaller than it says");
    return {};
  }

  Result<void> extract_file(const Entry& entry) {
    if (auto parent = make_parent(entry.path); !parent.ok()) return parent;
    const std::string at = folder_ + "/" + entry.path;
    auto file = create_file(at, entry.executable);
    if (!file.ok()) return file.error();
    const auto done = read(entry, [&](std::string_view piece) { return write_all(*file, piece, at); });
    if (!done.ok()) return done;
    if (!file->close()) return disk_error("write", at, errno);
    return {};
  }

  Result<void> read_link(const Entry& entry, std::string& target) {
    if (entry.declared_size > kMaxLinkTarget)
      return bad_entry(entry.path, "is a symbolic link with an overlong target");
    const auto done = read(entry, [&](std::string_view piece) -> Result<void> {
      target += piece;
      return {};
    });
    if (!done.ok()) return done;
    if (!is_safe_link(entry.path, target)) {
      return bad_entry(entry.path, "is a symbolic link that may lead outside of the package");
    }
    return {};
  }

  Result<void> make_parent(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? Result<void>() : make_folders(path.substr(0, slash));
  }

  Result<void> make_folders(const std::string& path) {
    if (made_.count(path) > 0) return {};
    if (auto parent = make_parent(path); !parent.ok()) return parent;
    const std::string at = folder_ + "/" + path;
    if (::mkdir(at.c_str(), 0755) != 0 && errno != EEXIST) return disk_error("create", at, errno);
    made_.insert(path);
    return {};
  }

  zip_t* archive_;
  std::string folder_;
  const Quotas& quotas_;
  std::vector<Entry> entries_;
  std::set<std::string> made_;
  std::uint64_t unzipped_ = 0;
  std::string buffer_ = std::string(std::size_t{64} * 1024, '\0');
};

}  // namespace

Result<void> extract_zip(const std::string& bytes, const std::string& folder, const Quotas& quotas) {
  if (bytes.size() > quotas.zip_upload) {
    return Error(ErrorCode::RequestEntityTooLargeException,
                 fmt::format("Zipped size must be smaller than {} bytes", quotas.zip_upload));
  }
  auto archive = open_archive(bytes);
  if (!archive.ok()) return archive.error();
  Extraction extraction(archive->get(), folder, quotas);
  if (auto listed = extraction.list(); !listed.ok()) return listed;
  if (::mkdir(folder.c_str(), 0755) != 0) return disk_error("create", folder, errno);
  auto done = extraction.unpack();
  if (!done.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  return done;
}

}  // namespace lambed::catalog
