#include "events/outgoing_http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace lambed::events {

namespace {

struct FreeEasy {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

void start_libcurl() {
  // Once a process; libcurl 7.84 and later do it safely beside other threads. Never undone: others may use it too.
  static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(started);
}

bool is_loopback(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const auto host = url.substr(0, url.find('/'));
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

}  // namespace

class OutgoingHttp::Loop : public std::enable_shared_from_this<OutgoingHttp::Loop> {
 public:
  explicit Loop(Limits limits) : limits_(limits) {}

  ~Loop() {
    if (multi_ != nullptr) ::curl_multi_cleanup(multi_);
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
      if (multi_ != nullptr) ::curl_multi_wakeup(multi_);
    }
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // it shares this object, and ends by itself
    } else {
      thread_.join();
    }
  }

  void send(OutgoingRequest request, std::function<void(OutgoingAnswer)> done) {
    std::unique_lock lock(mutex_);
    if (ending_) {
      lock.unlock();
      Transfer transfer(std::move(request), std::move(done));
      return give_up(transfer);
    }
    if (!thread_.joinable()) {
      start_libcurl();
      multi_ = ::curl_multi_init();
      thread_ = std::thread([self = shared_from_this()] { self->run(); });
    }
    waiting_.push_back(std::make_unique<Transfer>(std::move(request), std::move(done)));
    ::curl_multi_wakeup(multi_);
  }

 private:
  // One request from its start to its answer. Of the loop's thread once it is taken.
  struct Transfer {
    Transfer(OutgoingRequest its_request, std::function<void(OutgoingAnswer)> its_done)
        : request(std::move(its_request)), done(std::move(its_done)) {}
    OutgoingRequest request;
    std::function<void(OutgoingAnswer)> done;
    std::unique_ptr<curl_slist, FreeList> headers;
    std::unique_ptr<CURL, FreeEasy> easy;  // gone before what it refers to
    OutgoingAnswer answer;
    char error[CURL_ERROR_SIZE] = {};
  };

  static std::size_t take(char* bytes, std::size_t size, std::size_t count, void* transfer) {
    std::string& body = static_cast<Transfer*>(transfer)->answer.body;
    const std::size_t room = kMostAnswer - std::min(kMostAnswer, body.size());
    body.append(bytes, std::min(room, size * count));
    return size * count;  // what is longer is of no interest, and no reason to break off
  }

  CURLcode prepare(Transfer& t) {
    t.easy.reset(::curl_easy_init());
    CURL* easy = t.easy.get();
    if (easy == nullptr) return CURLE_OUT_OF_MEMORY;
    curl_slist* list = nullptr;
    // None of libcurl's own headers may be taken out here ("Accept:"): libcurl would sign what it then does not send.
    for (const std::string& header : t.request.headers) list = ::curl_slist_append(list, header.c_str());
    if (!t.request.credentials.session_token.empty()) {
      list = ::curl_slist_append(
          list, fmt::format("X-Amz-Security-Token: {}", t.request.credentials.session_token).c_str());
    }
    t.headers.reset(list);
    CURLcode code = CURLE_OK;
    const auto set = [&](CURLoption option, auto value) {
      if (code == CURLE_OK) code = ::curl_easy_setopt(easy, option, value);
    };
    set(CURLOPT_ERRORBUFFER, &t.error[0]);
    set(CURLOPT_PRIVATE, &t);
    set(CURLOPT_URL, t.request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_CUSTOMREQUEST, t.request.method.c_str());
    set(CURLOPT_HTTPHEADER, t.headers.get());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.request.body.size()));
    set(CURLOPT_POSTFIELDS, t.request.body.data());
    set(CURLOPT_WRITEFUNCTION, &Loop::take);
    set(CURLOPT_WRITEDATA, &t);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.whole.count()));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PATH_AS_IS, 1L);  // the signature is over the path as it was written
    // A proxy of the environment's cannot reach this machine's own loopback.
    if (is_loopback(t.request.url)) set(CURLOPT_NOPROXY, "*");
    if (!t.request.service.empty()) {
      const std::string provider = fmt::format("aws:amz:{}:{}", t.request.region, t.request.service);
      set(CURLOPT_AWS_SIGV4, provider.c_str());
      set(CURLOPT_USERNAME, t.request.credentials.access_key_id.c_str());
      set(CURLOPT_PASSWORD, t.request.credentials.secret_access_key.c_str());
    }
    return code;
  }

  void begin(std::unique_ptr<Transfer> transfer) {
    Transfer& t = *transfer;
    CURLcode code = prepare(t);
    if (code == CURLE_OK && ::curl_multi_add_handle(multi_, t.easy.get()) == CURLM_OK) {
      under_way_.emplace(t.easy.get(), std::move(transfer));
      return;
    }
    if (code == CURLE_OK) code = CURLE_FAILED_INIT;
    finish(t, code);
  }

  static void finish(Transfer& t, CURLcode code) {
    if (code == CURLE_OK) {
      long status = 0;
      ::curl_easy_getinfo(t.easy.get(), CURLINFO_RESPONSE_CODE, &status);
      t.answer.status = static_cast<int>(status);
    } else {
      const bool is_our_fault = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                                code == CURLE_BAD_FUNCTION_ARGUMENT || code == CURLE_UNKNOWN_OPTION ||
                                code == CURLE_NOT_BUILT_IN;
      t.answer.trouble =
          is_our_fault ? OutgoingAnswer::Trouble::kImpossible : OutgoingAnswer::Trouble::kUnreachable;
      t.answer.words = t.error[0] != '\0' ? t.error : ::curl_easy_strerror(code);
    }
    t.done(std::move(t.answer));
  }

  void run() {
    pthread_setname_np(pthread_self(), "lambed-outgoing");
    // Signals are the program's own threads' business; that keeps OpenSSL's SIGPIPE away, too.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (;;) {
      std::deque<std::unique_ptr<Transfer>> taken;
      {
        std::lock_guard lock(mutex_);
        if (ending_) break;
        while (!waiting_.empty() && under_way_.size() + taken.size() < limits_.at_once) {
          taken.push_back(std::move(waiting_.front()));
          waiting_.pop_front();
        }
      }
      for (auto& transfer : taken) begin(std::move(transfer));
      int running = 0;
      ::curl_multi_perform(multi_, &running);
      bool ended_some = !taken.empty();  // some may have ended as they began
      for (int left = 0; CURLMsg* message = ::curl_multi_info_read(multi_, &left);) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        const auto found = under_way_.find(message->easy_handle);
        if (found == under_way_.end()) continue;
        const auto transfer = std::move(found->second);
        under_way_.erase(found);
        ::curl_multi_remove_handle(multi_, transfer->easy.get());
        finish(*transfer, code);
        ended_some = true;
        if (is_ending()) break;  // it may have let go of what the others' answers are for
      }
      // With nothing under way only a wake-up ends the sleep.
      if (!ended_some) ::curl_multi_poll(multi_, nullptr, 0, running > 0 ? 1000 : 3'600'000, nullptr);
    }
    give_up_all();
  }

  bool is_ending() {
    std::lock_guard lock(mutex_);
    return ending_;
  }

  void give_up_all() {
    for (auto& [easy, transfer] : under_way_) {
      ::curl_multi_remove_handle(multi_, easy);
      give_up(*transfer);
    }
    under_way_.clear();
    std::deque<std::unique_ptr<Transfer>> waiting;
    {
      std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
    }
    for (auto& transfer : waiting) give_up(*transfer);
  }

  static void give_up(Transfer& t) {
    t.answer = {OutgoingAnswer::Trouble::kStopped, "the gateway was closed", 0, {}};
    t.done(std::move(t.answer));
  }

  const Limits limits_;
  std::mutex mutex_;  // guards what follows
  std::deque<std::unique_ptr<Transfer>> waiting_;
  bool ending_ = false;
  CURLM* multi_ = nullptr;  // set before the thread is made
  std::thread thread_;

  std::map<CURL*, std::unique_ptr<Transfer>> under_way_;  // of the loop's thread
};

OutgoingHttp::OutgoingHttp(Limits limits) : loop_(std::make_shared<Loop>(limits)) {}
OutgoingHttp::~OutgoingHttp() { loop_->stop(); }

void OutgoingHttp::send(OutgoingRequest request, std::function<void(OutgoingAnswer)> done) {
  loop_->send(std::move(request), std::move(done));
}

}  // namespace lambed::events
