// A gateway's storage in a folder: functions, versions, aliases and code outlive the process.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "gateway/core.h"
#include "storage/data_folder.h"

namespace lambed::catalog {
class DurableStore;
}

namespace lambed::gateway {

class DurableStorage {
 public:
  // Opens or makes it; removes code that no function names. Throws std::runtime_error: the folder is another server's, it cannot
  // be written, the database is damaged or of a newer version. A damaged queue of events is not among them: then
  // asynchronous invocations are refused, in words, and the rest serves on.
  explicit DurableStorage(const std::string& folder);
  ~DurableStorage();

  // Lives as long as its users do, but the folder's lock only as long as this object.
  const Storage& storage() const { return storage_; }
  // So far; several writes share one.
  std::uint64_t commits() const;

 private:
  const storage::DataFolder folder_;
  std::shared_ptr<catalog::DurableStore> store_;
  Storage storage_;
};

}  // namespace lambed::gateway
