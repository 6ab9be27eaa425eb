#include "environments/channel/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace lambed::channel {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Error failure(const std::string& what) {
  return Error(ErrorCode::ServiceException, "No memory to share with a worker: " + what + ": " +
                                                std::strerror(errno) +
                                                ". Close environments or raise the "
                                                "limits of this process (descriptors, memory).");
}

std::byte* map(int file, std::uint64_t bytes) {
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return base == MAP_FAILED ? nullptr : static_cast<std::byte*>(base);
}

}  // namespace

Result<SharedMemory> SharedMemory::create(const Sizes& wanted) {
  const Sizes sizes{whole_pages(wanted.order), whole_pages(wanted.answer)};
  Descriptor file(memfd_create("lambed-environment", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.is_open()) return failure("memfd_create");
  if (ftruncate(file.get(), static_cast<off_t>(sizes.total())) != 0) return failure("ftruncate");
  if (fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return failure("F_ADD_SEALS");
  std::byte* base = map(file.get(), sizes.total());
  if (base == nullptr) return failure("mmap");
  Page* page = new (base) Page();
  page->order_bytes.store(sizes.order, std::memory_order_relaxed);
  page->answer_bytes.store(sizes.answer, std::memory_order_relaxed);
  page->magic.store(kMagic, std::memory_order_release);
  return SharedMemory(std::move(file), base, sizes);
}

Result<SharedMemory> SharedMemory::open(Descriptor file) {
  if ((fcntl(file.get(), F_GET_SEALS) & kSeals) != kSeals) {
    errno = EINVAL;
    return failure("the file is not sealed");
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return failure("fstat");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes < kPageBytes + kLogBytes) {
    errno = EINVAL;
    return failure("the file is too small");
  }
  std::byte* base = map(file.get(), bytes);
  if (base == nullptr) return failure("mmap");
  const Page* page = reinterpret_cast<Page*>(base);
  const bool known = page->magic.load(std::memory_order_acquire) == kMagic;
  const Sizes sizes{page->order_bytes.load(std::memory_order_relaxed),
                    page->answer_bytes.load(std::memory_order_relaxed)};
  if (!known || sizes.order > bytes || sizes.answer > bytes || sizes.total() != bytes) {
    munmap(base, bytes);
    errno = EINVAL;
    return failure("the file is no channel of this version");
  }
  // The mapping is all it takes. A function that writes to whatever descriptor there is must not hit this memory.
  return SharedMemory(Descriptor(), base, sizes);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : file_(std::move(other.file_)), base_(std::exchange(other.base_, nullptr)), sizes_(other.sizes_) {}

SharedMemory::~SharedMemory() {
  if (base_ != nullptr) munmap(base_, sizes_.total());
}

void SharedMemory::give_back_areas() const {
  // MADV_REMOVE punches the hole into the file itself: the pages are gone in both processes.
  madvise(base_ + sizes_.order_offset(), sizes_.order + sizes_.answer, MADV_REMOVE);
}

}  // namespace lambed::channel
