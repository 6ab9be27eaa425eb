#include "catalog/code_packages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <optional>
#include <tuple>

#include "base/digest.h"
#include "catalog/awaited.h"
#include "catalog/file_blobs.h"
#include "catalog/files.h"
#include "catalog/folder_archive.h"
#include "catalog/zip_archive.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace fs = std::filesystem;

namespace {

std::string hex_to_base64(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return base64_encode(bytes);
}

std::string id_of(const CodeReference& reference) {
  // The same text under two file names is two folders.
  return reference.form == CodeReference::Form::kInline ? reference.blob + "/" + reference.path
                                                        : reference.blob;
}

Error blob_error(StoreStatus status, const Blobs& blobs) {
  if (status == StoreStatus::kFailed) {
    return {ErrorCode::ServiceException, "The code cannot be stored: " + blobs.trouble()};
  }
  return {ErrorCode::ServiceException,
          status == StoreStatus::kConflict
              ? "The stored code is missing or damaged"
              : "The code cannot be stored or read back: is the disk of TMPDIR full?"};
}

// One piece, then the empty one.
Blobs::Source whole(std::string_view bytes) {
  return [bytes, sent = false]() mutable { return std::exchange(sent, true) ? std::string_view() : bytes; };
}

}  // namespace

// ---- A folder of the caller's

class CodePackages::Live final : public CodePackage {
 public:
  explicit Live(std::string path) {
    reference_.path = std::move(path);
    id_ = "folder:" + reference_.path;
  }

  const CodeReference& reference() const override { return reference_; }
  const std::string& code_id() const override { return id_; }

  Result<std::string> task_root() override {
    struct stat status {};
    if (::stat(reference_.path.c_str(), &status) != 0)
      return disk_error("open the code folder", reference_.path, errno);
    if (!S_ISDIR(status.st_mode)) return disk_error("open the code folder", reference_.path, ENOTDIR);
    return reference_.path;
  }

  Result<std::string> sha256() override {
    const auto measured = measure_folder(reference_.path);
    if (!measured.ok()) return measured.error();
    std::lock_guard lock(mutex_);
    if (signature_ != measured->signature) {
      Sha256 digest;
      const auto read =
          archive_folder(reference_.path, UINT64_MAX, [&](std::string_view piece) -> Result<void> {
            digest.update(piece);
            return {};
          });
      if (!read.ok()) return read.error();
      sha256_ = to_base64(digest.finish());
      signature_ = measured->signature;
    }
    return sha256_;
  }

  Result<std::uint64_t> size() override {
    const auto measured = measure_folder(reference_.path);
    if (!measured.ok()) return measured.error();
    return measured->bytes;
  }

 private:
  CodeReference reference_;
  std::string id_;
  std::mutex mutex_;  // guards what follows; held while the folder is read, so that two who ask read it once
  std::string signature_;
  std::string sha256_;
};

// ---- A folder of the package store

class CodePackages::Stored final : public CodePackage {
 public:
  Stored(std::shared_ptr<CodePackages> owner, CodeReference reference)
      : owner_(std::move(owner)), reference_(std::move(reference)), id_(id_of(reference_)) {}
  ~Stored() override { owner_->release(*this); }

  const CodeReference& reference() const override { return reference_; }
  const std::string& code_id() const override { return id_; }
  const std::string& folder() const { return folder_; }

  Result<std::string> task_root() override {
    std::lock_guard lock(mutex_);
    if (folder_.empty()) {
      auto unpacked = unpack(Quotas::current());
      if (!unpacked.ok()) return unpacked;
      folder_ = *unpacked;
    }
    return folder_;
  }

  Result<std::string> sha256() override { return hex_to_base64(reference_.blob); }
  Result<std::uint64_t> size() override { return reference_.size; }

  Result<void> unpack_now(const Quotas& quotas) {
    std::lock_guard lock(mutex_);
    if (!folder_.empty()) return {};
    auto unpacked = unpack(quotas);
    if (!unpacked.ok()) return unpacked.error();
    folder_ = *unpacked;
    return {};
  }

 private:
  Result<std::string> unpack(const Quotas& quotas) {
    auto folder = owner_->root_->fresh_path("code");
    if (!folder.ok()) return folder;
    const auto done = unpack_into(*folder, quotas);
    if (!done.ok()) return done.error();
    return folder;
  }

  Result<void> unpack_into(const std::string& folder, const Quotas& quotas) {
    switch (reference_.form) {
      case CodeReference::Form::kZip: {
        std::string bytes;
        if (auto read = read_blob([&](std::string_view piece) { return bytes.append(piece), true; });
            !read.ok())
          return read;
        return extract_zip(bytes, folder, quotas);
      }
      case CodeReference::Form::kInline: {
        std::string text;
        if (auto read = read_blob([&](std::string_view piece) { return text.append(piece), true; });
            !read.ok())
          return read;
        return write_source(folder, text);
      }
      default:
        return unpack_frozen(folder);
    }
  }

  Result<void> read_blob(const Blobs::Sink& sink) {
    const auto [status] = Awaited<std::tuple<StoreStatus>>::wait_for(
        [&](auto done) { owner_->blobs_->get(reference_.blob, sink, std::move(done)); });
    if (status != StoreStatus::kOk) return blob_error(status, *owner_->blobs_);
    return {};
  }

  Result<void> write_source(const std::string& folder, const std::string& text) {
    const fs::path file = fs::path(folder) / reference_.path;
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    Result<void> written =
        error ? disk_error("create", file.parent_path(), error.value()) : write_file(file, text, false);
    if (!written.ok()) {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
    return written;
  }

  Result<void> unpack_frozen(const std::string& folder) {
    auto archive = owner_->root_->fresh_path("incoming");
    if (!archive.ok()) return archive.error();
    Result<void> done = [&]() -> Result<void> {
      auto file = create_file(*archive, false);
      if (!file.ok()) return file.error();
      Result<void> written;
      const auto read = read_blob(
          [&](std::string_view piece) { return (written = write_all(*file, piece, *archive)).ok(); });
      if (!written.ok()) return written;
      if (!read.ok()) return read;
      if (!file->close()) return disk_error("write", *archive, errno);
      return unpack_folder(*archive, folder);
    }();
    ::unlink(archive->c_str());
    return done;
  }

  const std::shared_ptr<CodePackages> owner_;
  const CodeReference reference_;
  const std::string id_;
  std::mutex mutex_;  // guards folder_; held while unpacking, so that two who ask unpack once
  std::string folder_;
};

// ---- The store

CodePackages::CodePackages(std::shared_ptr<Blobs> blobs, std::shared_ptr<PackageRoot> root, BlobLife life)
    : blobs_(std::move(blobs)), root_(std::move(root)), blob_life_(life) {}

std::shared_ptr<CodePackages> CodePackages::in_memory() {
  auto root = std::make_shared<PackageRoot>();
  return over(std::make_shared<FileBlobs>(root), root, BlobLife::kWithPackages);
}

std::shared_ptr<CodePackages> CodePackages::over(std::shared_ptr<Blobs> blobs,
                                                 std::shared_ptr<PackageRoot> root, BlobLife life) {
  return std::shared_ptr<CodePackages>(new CodePackages(std::move(blobs), std::move(root), life));
}

std::shared_ptr<CodePackages::Stored> CodePackages::stored(const CodeReference& reference) {
  const std::string id = id_of(reference);
  std::lock_guard lock(mutex_);
  std::weak_ptr<Stored>& known = packages_[id];
  if (auto package = known.lock()) return package;
  auto package = std::make_shared<Stored>(shared_from_this(), reference);
  known = package;
  ++blob_holders_[reference.blob];
  return package;
}

void CodePackages::release(const Stored& package) {
  {
    std::lock_guard lock(mutex_);
    // A successor may have taken the place already: then its pointer is alive.
    if (const auto it = packages_.find(package.code_id()); it != packages_.end() && it->second.expired())
      packages_.erase(it);
    const auto holders = blob_holders_.find(package.reference().blob);
    if (--holders->second == 0) {
      blob_holders_.erase(holders);
      // Under the lock: who stores the same content anew counts himself first, so his blob cannot be the one removed.
      if (blob_life_ == BlobLife::kWithPackages) blobs_->remove(package.reference().blob, [](StoreStatus) {});
    }
  }
  if (!package.folder().empty()) root_->discard(package.folder());
}

Result<std::shared_ptr<CodePackage>> CodePackages::store(const CodeReference& reference,
                                                         const Blobs::Source& source, const Quotas& quotas) {
  // First of all, for it names the cause when the temporary folder cannot be written.
  if (auto folder = root_->path("code", {}); !folder.ok()) return folder.error();
  const auto package = stored(reference);
  const auto [status] = Awaited<std::tuple<StoreStatus>>::wait_for(
      [&](auto done) { blobs_->put(reference.blob, source, std::move(done)); });
  if (status != StoreStatus::kOk) return blob_error(status, *blobs_);
  if (auto unpacked = package->unpack_now(quotas); !unpacked.ok()) return unpacked.error();
  return std::shared_ptr<CodePackage>(package);
}

Result<std::shared_ptr<CodePackage>> CodePackages::from_zip(const std::string& bytes, const Quotas& quotas) {
  if (bytes.size() > quotas.zip_upload) {
    return Error(ErrorCode::RequestEntityTooLargeException,
                 fmt::format("Zipped size must be smaller than {} bytes", quotas.zip_upload));
  }
  CodeReference reference;
  reference.form = CodeReference::Form::kZip;
  reference.blob = to_hex(lambed::sha256(bytes));
  reference.size = bytes.size();
  return store(reference, whole(bytes), quotas);
}

Result<std::shared_ptr<CodePackage>> CodePackages::from_inline(const std::string& text,
                                                               const std::string& path) {
  CodeReference reference;
  reference.form = CodeReference::Form::kInline;
  reference.path = path;
  reference.blob = to_hex(lambed::sha256(text));
  reference.size = text.size();
  return store(reference, whole(text), {});
}

Result<std::shared_ptr<CodePackage>> CodePackages::from_folder(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::canonical(path, error);
  if (error || !fs::is_directory(absolute, error)) {
    return model::invalid_parameter(
        fmt::format("The code folder '{}' does not exist or is not a folder.", path));
  }
  return std::shared_ptr<CodePackage>(std::make_shared<Live>(absolute.string()));
}

Result<std::shared_ptr<CodePackage>> CodePackages::freeze(const std::shared_ptr<CodePackage>& package,
                                                          const Quotas& quotas) {
  if (!package->is_live()) return package;
  auto archive = root_->fresh_path("incoming");
  if (!archive.ok()) return archive.error();
  auto frozen = [&]() -> Result<std::shared_ptr<CodePackage>> {
    auto file = create_file(*archive, false);
    if (!file.ok()) return file.error();
    CodeReference reference;
    reference.form = CodeReference::Form::kFrozenFolder;
    Sha256 digest;
    const auto written =
        archive_folder(package->reference().path, quotas.unzipped_code, [&](std::string_view piece) {
          digest.update(piece);
          reference.size += piece.size();
          return write_all(*file, piece, *archive);
        });
    if (!written.ok()) return written.error();
    if (!file->close()) return disk_error("write", *archive, errno);
    reference.blob = to_hex(digest.finish());

    // Read back piece by piece: what is stored is what was copied, whatever happens to the folder meanwhile.
    const Descriptor in(::open(archive->c_str(), O_RDONLY | O_CLOEXEC));
    std::string buffer(std::size_t{64} * 1024, '\0');
    return store(
        reference,
        [&]() -> std::string_view {
          const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
          return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
        },
        quotas);
  }();
  ::unlink(archive->c_str());
  return frozen;
}

Result<std::string> CodePackages::read(const CodeReference& reference) {
  if (reference.form != CodeReference::Form::kZip && reference.form != CodeReference::Form::kInline) {
    return model::invalid_parameter("The function's code is a folder.");
  }
  std::string bytes;
  const auto [status] = Awaited<std::tuple<StoreStatus>>::wait_for([&](auto done) {
    blobs_->get(
        reference.blob, [&](std::string_view piece) { return bytes.append(piece), true; }, std::move(done));
  });
  if (status != StoreStatus::kOk) return blob_error(status, *blobs_);
  return bytes;
}

void CodePackages::keep_blobs() {
  std::lock_guard lock(mutex_);
  blob_life_ = BlobLife::kUntilRemoved;
}

std::shared_ptr<CodePackage> CodePackages::open(const CodeReference& reference) {
  if (reference.form == CodeReference::Form::kLiveFolder) return std::make_shared<Live>(reference.path);
  return stored(reference);
}

}  // namespace lambed::catalog
