// The package store: the code of all functions on this machine's disk.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/code_package.h"
#include "catalog/package_root.h"
#include "catalog/store.h"
#include "lambed/quotas.h"

namespace lambed::catalog {

// Makes packages and keeps them apart: equal code is one folder, shared by all who hold it. A package's folder goes with its
// last holder, and its blob too when blobs live no longer than packages.
// Threads: any thread may call any method. They unpack and copy, except `open`, which touches no disk.
class CodePackages : public std::enable_shared_from_this<CodePackages> {
 public:
  enum class BlobLife { kWithPackages, kUntilRemoved };

  // In a private temporary folder of its own, blobs included.
  static std::shared_ptr<CodePackages> in_memory();
  static std::shared_ptr<CodePackages> over(std::shared_ptr<Blobs> blobs, std::shared_ptr<PackageRoot> root,
                                            BlobLife life);

  // Each of these checks everything, and leaves nothing behind when it fails. Errors: see extract_zip, archive_folder,
  // inline_source_path; InvalidParameterValueException for a folder that is not there; ServiceException for the disk.
  Result<std::shared_ptr<CodePackage>> from_zip(const std::string& bytes, const Quotas& quotas);
  Result<std::shared_ptr<CodePackage>> from_inline(const std::string& text, const std::string& path);
  Result<std::shared_ptr<CodePackage>> from_folder(const std::string& path);
  // The package itself, or for a live folder a copy of what lies in it now.
  Result<std::shared_ptr<CodePackage>> freeze(const std::shared_ptr<CodePackage>& package,
                                              const Quotas& quotas);

  // The package that the catalogue has kept a reference of; unpacked when it is first asked for its task root.
  std::shared_ptr<CodePackage> open(const CodeReference& reference);

  // The bytes of a stored zip or text, as they came. InvalidParameterValueException for a folder.
  Result<std::string> read(const CodeReference& reference);
  // From now on blobs stay when their last package goes: for a process that ends and leaves its store behind.
  void keep_blobs();

  PackageRoot& root() { return *root_; }

 private:
  class Live;
  class Stored;

  CodePackages(std::shared_ptr<Blobs> blobs, std::shared_ptr<PackageRoot> root, BlobLife life);
  std::shared_ptr<Stored> stored(const CodeReference& reference);
  // Puts the blob and unpacks it.
  Result<std::shared_ptr<CodePackage>> store(const CodeReference& reference, const Blobs::Source& source,
                                             const Quotas& quotas);
  void release(const Stored& package);

  std::shared_ptr<Blobs> blobs_;
  std::shared_ptr<PackageRoot> root_;
  BlobLife blob_life_;
  std::mutex mutex_;                                       // guards what follows
  std::map<std::string, std::weak_ptr<Stored>> packages_;  // by code_id
  std::map<std::string, int> blob_holders_;                // packages by blob
};

}  // namespace lambed::catalog
