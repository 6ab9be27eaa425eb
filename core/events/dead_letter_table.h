// Where dead letters for lambed:local lie, of one account in one region.
//
// Threads: any. add() answers on the calling thread or on one of the table's own; the others wait for the disk and are not for a
// loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "events/delivery.h"
#include "lambed/dead_letters.h"

namespace lambed::storage {
class Committer;
class Connection;
}  // namespace lambed::storage

namespace lambed::events {

// What a delivery leaves in the table, without its id.
DeadLetter dead_letter_of(Delivery&& delivery, std::chrono::system_clock::time_point now);
const char* name_of(DeadLetterKind kind);  // "DeadLetter", "OnSuccess", "OnFailure"

class DeadLetterTable {
 public:
  virtual ~DeadLetterTable() = default;
  // `delivery_id`: of what came twice, one is kept. kRetryLater when the table is full or cannot be written, with the reason.
  virtual void add(const std::string& delivery_id, DeadLetter letter,
                   std::function<void(DeliveryResult)> done) = 0;
  // Without payloads, oldest first. ServiceException when it cannot be read.
  virtual Result<std::vector<DeadLetter>> list(const DeadLetterQuery& query) = 0;
  // ResourceNotFoundException when there is none of that id.
  virtual Result<DeadLetter> get(const std::string& id) = 0;
  // How many there were of them. An empty selection means all.
  virtual Result<std::size_t> remove(const DeadLetterSelection& selection) = 0;
  virtual std::size_t size() const = 0;
};

// In memory, and bounded: a full table takes no more until it is redriven or purged.
class MemoryDeadLetters final : public DeadLetterTable {
 public:
  static constexpr std::size_t kMostLetters = 10'000;
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;  // of payloads
  explicit MemoryDeadLetters(std::size_t most_letters = kMostLetters, std::size_t most_bytes = kMostBytes)
      : most_letters_(most_letters), most_bytes_(most_bytes) {}

  void add(const std::string& delivery_id, DeadLetter letter,
           std::function<void(DeliveryResult)> done) override;
  Result<std::vector<DeadLetter>> list(const DeadLetterQuery& query) override;
  Result<DeadLetter> get(const std::string& id) override;
  Result<std::size_t> remove(const DeadLetterSelection& selection) override;
  std::size_t size() const override;

 private:
  struct Kept {
    std::string delivery_id;
    DeadLetter letter;
  };
  static std::size_t bytes_of(const DeadLetter& letter) {
    return letter.request_payload.size() + letter.response_payload.size();
  }

  const std::size_t most_letters_;
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;                                   // guards what follows
  std::map<std::uint64_t, Kept> letters_;                      // by number
  std::map<std::string, std::uint64_t, std::less<>> numbers_;  // by delivery id
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 1;
};

// The tables of a data folder: one database for all accounts and regions.
class DeadLetterDatabase {
 public:
  // Throws storage::Failure.
  explicit DeadLetterDatabase(std::unique_ptr<storage::Connection> connection);
  ~DeadLetterDatabase();

  // `scope`: "account/region". The database lives as long as its tables.
  static std::shared_ptr<DeadLetterTable> table(std::shared_ptr<DeadLetterDatabase> database,
                                                std::string scope);
  // What keeps it from being written; "" for nothing.
  std::string trouble() const;

 private:
  class Table;
  std::unique_ptr<storage::Committer> committer_;
};

// Numbers as ids: 20 digits, so that their order is the numbers'. nullopt: none that a table gives.
std::string dead_letter_id(std::uint64_t number);
std::optional<std::uint64_t> dead_letter_number(std::string_view id);

}  // namespace lambed::events
