#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <string>

namespace scripted {
namespace {

constexpr const char* kName = "world-of-" SCRIPTED_LANGUAGE ".";

Common* map(int descriptor) {
  const int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* const memory = mmap(nullptr, sizeof(Common), PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<Common*>(memory);  // all of it may begin as zeroes, but for the locks
}

Common* make(bool is_shared) {
  int descriptor = -1;
  if (is_shared) {
    descriptor = memfd_create(kName, MFD_CLOEXEC);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(Common)) != 0) std::abort();
  }
  Common* const made = map(descriptor);  // the descriptor stays open: workers' launchers find it by its name
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  for (Seat& seat : made->seats) pthread_mutex_init(&seat.held, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return made;
}

// What the parent has made; null: it has not.
Common* of_parent() {
  const std::string folder = "/proc/" + std::to_string(getppid()) + "/fd";
  DIR* const listed = opendir(folder.c_str());
  if (listed == nullptr) return nullptr;
  Common* found = nullptr;
  while (const dirent* entry = readdir(listed)) {
    const std::string path = folder + "/" + entry->d_name;
    char target[64] = {};
    if (readlink(path.c_str(), target, sizeof target - 1) <= 0 || std::strstr(target, kName) == nullptr)
      continue;
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) continue;
    found = map(descriptor);
    ::close(descriptor);
    break;
  }
  closedir(listed);
  return found;
}

}  // namespace

World::World() {
  // A launcher is started without the variable.
  const char* const isolation = std::getenv("LAMBED_TEST_ISOLATION");
  const bool is_shared = isolation != nullptr && std::strcmp(isolation, "process") == 0;
  common_ = is_shared ? nullptr : of_parent();
  is_worker_ = common_ != nullptr;
  if (common_ == nullptr) common_ = make(is_shared);
}

World& world() {
  static World* const the_world = new World;
  return *the_world;
}

// FNV-1a.
std::uint64_t World::key_of(std::string_view name) {
  std::uint64_t key = 14695981039346656037u;
  for (const char c : name) key = (key ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return key == 0 ? 1 : key;
}

Gate& World::gate(std::string_view name) {
  const std::uint64_t key = key_of(name);
  for (std::size_t i = 0; i < common_->gates.size(); ++i) {
    Gate& gate = common_->gates[(key + i) % common_->gates.size()];
    std::uint64_t found = 0;
    if (gate.key.compare_exchange_strong(found, key) || found == key) return gate;
  }
  std::fprintf(stderr, "the scripted host has no room for another gate\n");
  std::abort();
}

void World::announce_change() {
  ++common_->changes;
  syscall(SYS_futex, &common_->changes, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

void World::await_change(std::uint32_t seen, std::int64_t nanoseconds) {
  timespec time{};
  time.tv_sec = nanoseconds / 1'000'000'000;
  time.tv_nsec = nanoseconds % 1'000'000'000;
  syscall(SYS_futex, &common_->changes, FUTEX_WAIT, seen, nanoseconds < 0 ? nullptr : &time, nullptr, 0);
}

Seat* World::take_seat() {
  if (!is_worker_) return nullptr;
  for (Seat& seat : common_->seats) {
    const int result = pthread_mutex_trylock(&seat.held);
    if (result == EBUSY) continue;
    if (result == EOWNERDEAD) pthread_mutex_consistent(&seat.held);
    seat.rests.store(false);
    seat.waits_at.store(0);
    seat.taken.store(true);
    return &seat;
  }
  std::abort();
}

void World::leave(Seat* seat) {
  if (seat == nullptr) return;
  seat->taken.store(false);
  pthread_mutex_unlock(&seat->held);
}

template <typename Condition>
long World::count_seats(Condition condition) {
  long count = 0;
  for (Seat& seat : common_->seats) {
    if (!seat.taken.load()) continue;
    switch (pthread_mutex_trylock(&seat.held)) {
      case EOWNERDEAD:
        pthread_mutex_consistent(&seat.held);
        seat.taken.store(false);
        [[fallthrough]];
      case 0:  // left this moment
        pthread_mutex_unlock(&seat.held);
        break;
      default:
        if (condition(seat)) ++count;
    }
  }
  return count;
}

long World::seated() {
  return count_seats([](const Seat&) { return true; });
}
long World::seated_and_resting() {
  return count_seats([](const Seat& seat) { return seat.rests.load(); });
}
long World::seated_at(std::uint64_t key) {
  return count_seats([key](const Seat& seat) { return seat.waits_at.load() == key; });
}

}  // namespace scripted
