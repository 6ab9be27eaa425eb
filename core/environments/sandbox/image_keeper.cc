#include "environments/sandbox/image_keeper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>

#include "environments/sandbox/messages.h"
#include "environments/sandbox/privileges.h"

namespace lambed::sandbox {
namespace {

// So many are ready, of each of the sizes that were wanted last; twice as many each time that they were too few. One costs a loop
// device and some kilobytes.
constexpr std::size_t kFirstReady = 4;
constexpr std::size_t kMostReady = 32;
constexpr std::size_t kShelves = 4;
// They wait more than they work. Those that take images apart are never in the way of those whose image somebody waits for.
constexpr int kMakers = 6;
constexpr int kEnders = 2;
constexpr int kPatience = 10'000;  // milliseconds, for one image

struct ImageOrder {
  int id = 0;
  std::uint64_t bytes = 0;
};

struct ImageReply {
  int id = 0;
  std::uint64_t bytes = 0;
  Trouble trouble;  // none: with the mount
};

// What runs in the process. Its threads share it.
class Workshop {
 public:
  Workshop(int orders, int endings, ImagePlace place)
      : orders_(orders), endings_(endings), place_(std::move(place)) {}

  [[noreturn]] void run() {
    for (int i = 1; i < kMakers; ++i) std::thread([this] { take_orders(); }).detach();
    for (int i = 0; i < kEnders; ++i) std::thread([this] { take_endings(); }).detach();
    take_orders();
  }

 private:
  [[noreturn]] void take_orders() {
    ImageOrder order;
    while (receive_message(orders_, &order, sizeof order) == sizeof order) make(order);
    ::_exit(0);  // the supervisor is gone
  }

  [[noreturn]] void take_endings() {
    int id = 0;
    while (receive_message(endings_, &id, sizeof id) == sizeof id) end(id);
    ::_exit(0);
  }

  Trouble find_form(std::uint64_t bytes, std::shared_ptr<const ImageForm>& found) {
    const std::lock_guard<std::mutex> lock(forms_mutex_);
    std::shared_ptr<const ImageForm>& form = forms_[bytes];
    if (!form) {
      ImageForm made;
      if (Trouble t = ImageForm::make(place_, bytes, made); t.error != 0) return t;
      form = std::make_shared<const ImageForm>(std::move(made));
    }
    found = form;
    return {};
  }

  void make(const ImageOrder& order) {
    ImageReply reply{order.id, order.bytes, {}};
    std::shared_ptr<const ImageForm> form;
    DiskImage image;
    reply.trouble = find_form(order.bytes, form);
    if (reply.trouble.error == 0) reply.trouble = DiskImage::make(*form, image);
    std::vector<int> descriptors;
    Descriptor mount;
    if (reply.trouble.error == 0) {
      mount = image.release_mount();
      descriptors.push_back(mount.get());
      const std::lock_guard<std::mutex> lock(images_mutex_);
      images_.emplace(order.id, std::move(image));
    }
    if (send_message(orders_, &reply, sizeof reply, descriptors) != 0) ::_exit(0);
  }

  void end(int id) {
    DiskImage image;
    {
      const std::lock_guard<std::mutex> lock(images_mutex_);
      const auto found = images_.find(id);
      if (found == images_.end()) return;
      image = std::move(found->second);
      images_.erase(found);
    }
  }

  const int orders_, endings_;
  const ImagePlace place_;
  std::mutex forms_mutex_;
  std::map<std::uint64_t, std::shared_ptr<const ImageForm>> forms_;
  std::mutex images_mutex_;
  std::map<int, DiskImage> images_;
};

[[noreturn]] void run_keeper(pid_t supervisor, int orders, int endings, const ImagePlace& place) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(0);
  ::prctl(PR_SET_NAME, "lambed-images");
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  close_all_but({orders, endings});
  static_cast<void>(!::chdir("/"));
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  Workshop(orders, endings, place).run();
}

}  // namespace

TmpImage& TmpImage::operator=(TmpImage&& other) noexcept {
  std::swap(keeper_, other.keeper_);
  std::swap(id_, other.id_);
  std::swap(bytes_, other.bytes_);
  std::swap(mount_, other.mount_);
  return *this;
}

TmpImage::~TmpImage() {
  let_go();
  if (keeper_) keeper_->end(id_);
}

std::shared_ptr<ImageKeeper> ImageKeeper::start(const ImagePlace& place, std::uint64_t bytes) {
  std::shared_ptr<ImageKeeper> keeper(new ImageKeeper(place));
  if (place.folder.empty()) {
    keeper->given_up_ = trouble(ENODEV, "looking for a folder for images that is on a disk");
    return keeper;
  }
  keeper->given_up_ = keeper->begin();
  if (keeper->given_up_.error == 0) keeper->ask(keeper->shelf(bytes));
  return keeper;
}

ImageKeeper::~ImageKeeper() { stop(); }

Trouble ImageKeeper::begin() {
  int orders[2], endings[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) != 0)
    return trouble(errno, "making a socket pair");
  orders_ = Descriptor(orders[0]);
  const Descriptor their_orders(orders[1]);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, endings) != 0)
    return trouble(errno, "making a socket pair");
  endings_ = Descriptor(endings[0]);
  const Descriptor their_endings(endings[1]);
  const pid_t self = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return trouble(errno, "starting the process that makes images");
  if (pid_ == 0) run_keeper(self, their_orders.get(), their_endings.get(), place_);
  return {};
}

// By force: it may be waiting for the disk, and what it holds goes in any case.
void ImageKeeper::stop() {
  orders_ = Descriptor();
  endings_ = Descriptor();
  shelves_.clear();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

ImageKeeper::Shelf& ImageKeeper::shelf(std::uint64_t bytes) {
  const auto found = std::find_if(shelves_.begin(), shelves_.end(),
                                  [bytes](const Shelf& shelf) { return shelf.bytes == bytes; });
  if (found != shelves_.end()) {
    std::rotate(shelves_.begin(), found, found + 1);
    return shelves_.front();
  }
  if (shelves_.size() == kShelves) {
    for (const Image& image : shelves_.back().ready) end(image.id);
    shelves_.pop_back();
  }
  Shelf made;
  made.bytes = bytes;
  made.wanted = kFirstReady;
  return *shelves_.insert(shelves_.begin(), std::move(made));
}

// As many as are to be ready.
void ImageKeeper::ask(Shelf& shelf) {
  while (shelf.ready.size() + static_cast<std::size_t>(shelf.asked) < shelf.wanted) {
    const ImageOrder order{++last_id_, shelf.bytes};
    if (send_message(orders_.get(), &order, sizeof order) != 0) return;
    ++shelf.asked;
  }
}

void ImageKeeper::end(int id) { send_message(endings_.get(), &id, sizeof id); }

bool ImageKeeper::receive(int patience) {
  pollfd polled{orders_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&polled, 1, patience);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  ImageReply reply;
  std::vector<Descriptor> descriptors;
  if (receive_message(orders_.get(), &reply, sizeof reply, &descriptors, false) != sizeof reply) {
    stop();
    return false;
  }
  const auto wanted = std::find_if(shelves_.begin(), shelves_.end(),
                                   [&reply](const Shelf& shelf) { return shelf.bytes == reply.bytes; });
  if (wanted == shelves_.end()) {
    end(reply.id);
    return true;
  }
  --wanted->asked;
  if (reply.trouble.error != 0 || descriptors.empty()) {
    wanted->trouble = reply.trouble.error != 0 ? reply.trouble : trouble(EMFILE, "receiving an image");
    return true;
  }
  has_made_one_ = true;
  wanted->ready.push_back({reply.id, std::move(descriptors.front())});
  if (wanted->ready.size() >= wanted->wanted) wanted->has_been_full = true;
  return true;
}

// Until one of that size is ready.
Trouble ImageKeeper::await(std::uint64_t bytes) {
  if (given_up_.error != 0) return given_up_;
  while (orders_.is_open() && receive(0)) {
  }
  if (!orders_.is_open()) {  // it was killed: what it had made is gone, what is in use is not
    if (Trouble t = begin(); t.error != 0) return t;
  }
  if (Shelf& from = shelf(bytes); from.ready.empty()) {
    if (from.has_been_full) from.wanted = std::min(2 * from.wanted, kMostReady);
    from.has_been_full = false;
    ask(from);
  }
  while (shelf(bytes).ready.empty()) {
    if (shelf(bytes).asked == 0) {
      const Trouble why = shelf(bytes).trouble;
      if (!has_made_one_) {
        given_up_ = why;
        stop();
      }
      return why;
    }
    if (!receive(kPatience)) return trouble(ETIMEDOUT, "waiting for an image");
  }
  return {};
}

Trouble ImageKeeper::trial() {
  if (has_made_one_ || given_up_.error != 0 || shelves_.empty()) return given_up_;
  return await(shelves_.front().bytes);
}

Trouble ImageKeeper::take(std::uint64_t bytes, TmpImage& taken) {
  if (Trouble t = await(bytes); t.error != 0) return t;
  Shelf& from = shelf(bytes);
  Image image = std::move(from.ready.back());
  from.ready.pop_back();
  ask(from);
  taken = TmpImage(shared_from_this(), image.id, bytes, std::move(image.mount));
  return {};
}

}  // namespace lambed::sandbox
