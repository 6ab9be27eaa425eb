#include "catalog/file_blobs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "base/digest.h"
#include "catalog/files.h"

namespace lambed::catalog {

StoreStatus FileBlobs::store(const std::string& name, const Source& source) {
  const auto place = root_->path("blobs", name);
  const auto beside = root_->fresh_path("blobs-incoming");
  if (!place.ok() || !beside.ok()) return StoreStatus::kUnknown;
  if (::access(place->c_str(), F_OK) == 0) return StoreStatus::kOk;

  StoreStatus status = StoreStatus::kUnknown;
  if (auto file = create_file(*beside, false); file.ok()) {
    Sha256 digest;
    bool written = true;
    for (std::string_view piece = source(); written && !piece.empty(); piece = source()) {
      digest.update(piece);
      written = write_all(*file, piece, *beside).ok();
    }
    if (written && file->close()) {
      status = to_hex(digest.finish()) != name                     ? StoreStatus::kConflict
               : std::rename(beside->c_str(), place->c_str()) == 0 ? StoreStatus::kOk
                                                                   : StoreStatus::kUnknown;
    }
    if (status != StoreStatus::kOk) ::unlink(beside->c_str());
  }
  return status;
}

void FileBlobs::put(const std::string& sha256, Source source, Done done) { done(store(sha256, source)); }

void FileBlobs::get(const std::string& sha256, Sink sink, Done done) {
  const auto place = root_->path("blobs", sha256);
  if (!place.ok()) return done(StoreStatus::kUnknown);
  if (::access(place->c_str(), F_OK) != 0) return done(StoreStatus::kConflict);
  bool stopped = false;
  const auto read = read_file(*place, [&](std::string_view piece) -> Result<void> {
    if (sink(piece)) return {};
    stopped = true;
    return Error(ErrorCode::ServiceException, "stopped");
  });
  done(read.ok() || stopped ? StoreStatus::kOk : StoreStatus::kUnknown);
}

void FileBlobs::exists(const std::string& sha256, ExistsDone done) {
  const auto place = root_->path("blobs", sha256);
  if (!place.ok()) return done(StoreStatus::kUnknown, false);
  done(StoreStatus::kOk, ::access(place->c_str(), F_OK) == 0);
}

void FileBlobs::remove(const std::string& sha256, Done done) {
  const auto place = root_->path("blobs", sha256);
  done(place.ok() && ::unlink(place->c_str()) == 0 ? StoreStatus::kOk : StoreStatus::kConflict);
}

}  // namespace lambed::catalog
