// Code packages in a database, by the SHA-256 of what they hold: on the disk before they are answered.
//
// Answers come on the committer's thread, pieces are read and given on the caller's or on the committer's.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "catalog/store.h"
#include "storage/committer.h"

namespace lambed::catalog {

class DurableBlobs final : public Blobs {
 public:
  explicit DurableBlobs(std::unique_ptr<storage::Connection> connection);

  void put(const std::string& sha256, Source source, Done done) override;
  void get(const std::string& sha256, Sink sink, Done done) override;
  void exists(const std::string& sha256, ExistsDone done) override;
  void remove(const std::string& sha256, Done done) override;
  std::string trouble() const override;

  // Removes what is not in `used`: what a server that died had stored for functions that never came to be. Before the first
  // put.
  void keep_only(const std::set<std::string>& used);

 private:
  std::unique_ptr<storage::Committer> committer_;
};

}  // namespace lambed::catalog
