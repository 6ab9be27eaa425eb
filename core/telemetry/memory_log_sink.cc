#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>

#include "lambed/telemetry.h"

namespace lambed {
namespace {

// A record in the ring: this, then its five texts one after the other.
struct Entry {
  LogKind kind;
  std::chrono::system_clock::time_point time;
  std::array<std::uint32_t, 5> sizes;  // function name, log group, log stream, request id, text

  std::size_t bytes() const {
    std::size_t total = sizeof(Entry);
    for (const std::uint32_t size : sizes) total += size;
    return total;
  }
};

// Room for the names and one line, whatever was asked for.
constexpr std::size_t kSmallestCapacity = 4096;

// The end of `text` that fits into `room`.
std::string_view newest_part(std::string_view text, std::size_t room) {
  return text.size() <= room ? text : text.substr(text.size() - room);
}

}  // namespace

// Records lie packed in one ring of bytes, so that writing one is a few copies under the lock and no
// allocation.
struct MemoryLogSink::State {
  explicit State(std::size_t wanted)
      : capacity(std::max(wanted, kSmallestCapacity)), ring(new char[capacity]) {}

  // `position` is below twice the capacity; a division here would cost more than the copying.
  std::size_t wrapped(std::size_t position) const {
    return position < capacity ? position : position - capacity;
  }

  void put(const void* from, std::size_t size) {
    const std::size_t at = wrapped(first + used);
    const std::size_t until_wrap = std::min(size, capacity - at);
    if (size == 0) return;
    std::memcpy(ring.get() + at, from, until_wrap);
    if (until_wrap < size)
      std::memcpy(ring.get(), static_cast<const char*>(from) + until_wrap, size - until_wrap);
    used += size;
  }

  void get(std::size_t offset, void* to, std::size_t size) const {
    const std::size_t at = wrapped(first + offset);
    const std::size_t until_wrap = std::min(size, capacity - at);
    if (size == 0) return;
    std::memcpy(to, ring.get() + at, until_wrap);
    if (until_wrap < size) std::memcpy(static_cast<char*>(to) + until_wrap, ring.get(), size - until_wrap);
  }

  void drop_oldest() {
    Entry entry;
    get(0, &entry, sizeof entry);
    const std::size_t bytes = entry.bytes();
    first = wrapped(first + bytes);
    used -= bytes;
  }

  std::string text_at(std::size_t offset, std::size_t size) const {
    std::string text(size, '\0');
    get(offset, text.data(), size);
    return text;
  }

  const std::size_t capacity;
  mutable std::mutex mutex;  // guards what follows
  std::unique_ptr<char[]> ring;
  std::size_t first = 0;
  std::size_t used = 0;
};

MemoryLogSink::MemoryLogSink(std::size_t capacity_bytes) : state_(std::make_unique<State>(capacity_bytes)) {}
MemoryLogSink::~MemoryLogSink() = default;

void MemoryLogSink::write(const LogRecord& record) {
  // Names are bounded by Lambda's own limits; a sink must survive others too, so each takes an eighth of the
  // room at most.
  const std::size_t name_room = state_->capacity / 8;
  std::array<std::string_view, 5> parts{newest_part(record.function_name, name_room),
                                        newest_part(record.log_group, name_room),
                                        newest_part(record.log_stream, name_room),
                                        newest_part(record.request_id, name_room),
                                        {}};
  Entry entry{record.kind, record.time, {}};
  for (std::size_t i = 0; i < 4; ++i) entry.sizes[i] = static_cast<std::uint32_t>(parts[i].size());
  parts[4] = newest_part(record.text, std::min<std::size_t>(state_->capacity - entry.bytes(), UINT32_MAX));
  entry.sizes[4] = static_cast<std::uint32_t>(parts[4].size());

  const std::size_t bytes = entry.bytes();
  const std::lock_guard lock(state_->mutex);
  while (state_->capacity - state_->used < bytes) state_->drop_oldest();
  state_->put(&entry, sizeof entry);
  for (const std::string_view part : parts) state_->put(part.data(), part.size());
}

std::vector<StoredLogRecord> MemoryLogSink::records(std::string_view function_name) const {
  std::vector<StoredLogRecord> found;
  const std::lock_guard lock(state_->mutex);
  Entry entry;
  for (std::size_t offset = 0; offset < state_->used; offset += entry.bytes()) {
    state_->get(offset, &entry, sizeof entry);
    std::size_t at = offset + sizeof entry;
    std::array<std::string, 5> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i] = state_->text_at(at, entry.sizes[i]);
      at += entry.sizes[i];
      if (i == 0 && !function_name.empty() && parts[0] != function_name) break;
    }
    if (!function_name.empty() && parts[0] != function_name) continue;
    found.push_back({entry.kind, std::move(parts[0]), std::move(parts[1]), std::move(parts[2]),
                     std::move(parts[3]), entry.time, std::move(parts[4])});
  }
  return found;
}

std::string MemoryLogSink::text(std::string_view function_name) const {
  std::string all;
  for (const StoredLogRecord& record : records(function_name)) all += record.text;
  return all;
}

void MemoryLogSink::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->first = 0;
  state_->used = 0;
}

}  // namespace lambed
