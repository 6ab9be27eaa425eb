// Blobs as files of a package root: gone with the process, out of its memory.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "catalog/package_root.h"
#include "catalog/store.h"

namespace lambed::catalog {

// Answers on the calling thread before the call returns. A blob appears whole or not at all: it is written beside its place,
// checked and renamed.
class FileBlobs final : public Blobs {
 public:
  explicit FileBlobs(std::shared_ptr<PackageRoot> root) : root_(std::move(root)) {}

  void put(const std::string& sha256, Source source, Done done) override;
  void get(const std::string& sha256, Sink sink, Done done) override;
  void exists(const std::string& sha256, ExistsDone done) override;
  void remove(const std::string& sha256, Done done) override;

 private:
  StoreStatus store(const std::string& sha256, const Source& source);

  std::shared_ptr<PackageRoot> root_;
};

}  // namespace lambed::catalog
