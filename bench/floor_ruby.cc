// Ruby's floor: JSON.parse, the handler, JSON.generate, by the C API on Ruby threads. A module that is an extension of
// Ruby at the same time: only Ruby's own threads may call into Ruby, so the VM comes in by `require`, from a function
// of the gateway, and leaves a thread behind that makes further ones. Declares what it uses of Ruby, as the host does.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "floor.h"

extern "C" {
using VALUE = unsigned long;
using ID = unsigned long;
void ruby_sysinit(int*, char***);
void ruby_init_stack(volatile VALUE*);
int ruby_setup();
void* ruby_options(int, char**);
int ruby_exec_node(void*);
VALUE rb_eval_string_protect(const char*, int*);
VALUE rb_protect(VALUE (*)(VALUE), VALUE, int*);
VALUE rb_funcallv(VALUE, ID, int, const VALUE*);
VALUE rb_funcallv_kw(VALUE, ID, int, const VALUE*, int);
VALUE rb_hash_new();
VALUE rb_hash_aset(VALUE, VALUE, VALUE);
VALUE rb_id2sym(ID);
ID rb_intern(const char*);
VALUE rb_utf8_str_new(const char*, long);
char* rb_string_value_cstr(volatile VALUE*);
long long rb_num2ll(VALUE);
void rb_gc_register_address(VALUE*);
void rb_gc_unregister_address(VALUE*);
VALUE rb_thread_create(VALUE (*)(void*), void*);
void* rb_thread_call_without_gvl(void* (*)(void*), void*, void (*)(void*), void*);
void* rb_thread_call_with_gvl(void* (*)(void*), void*);
VALUE rb_errinfo();
}

namespace bench {
namespace {

constexpr const char* kLanguage = "Ruby";

[[noreturn]] void fail(const std::string& cause) { end_by_failure(kLanguage, cause); }

// What the floor uses of Ruby, found once.
struct Ruby {
  VALUE json = 0;
  VALUE opener = 0;  // a Proc: (file, method's name) -> the method's receiver
  VALUE no_context = 0;
  VALUE event_key = 0;
  VALUE context_key = 0;
  ID parse = 0;
  ID generate = 0;
  ID call = 0;
  ID bytesize = 0;
  std::string version;
};

struct Job {
  const std::function<void()>& work;
  bool is_done = false;
};

// Never destroyed: Ruby's threads may outlive the program's objects.
class Threads {
 public:
  static Threads& instance() {
    static auto& threads = *new Threads;
    return threads;
  }
  Ruby ruby;

  // A thread of Ruby, holding the VM's lock.
  void come_in() {
    int failed = 0;
    const VALUE parts = rb_eval_string_protect(
        "require 'json'\n"
        "[JSON, ->(file) { wrapper = Module.new; load(file, wrapper); Object.new.extend(wrapper) }, nil, "
        "RUBY_VERSION]",
        &failed);
    if (failed != 0) fail("its Ruby code failed");
    const auto part = [&](long long index) {
      const VALUE at = static_cast<VALUE>(index * 2 + 1);  // a small Integer
      return rb_funcallv(parts, rb_intern("at"), 1, &at);
    };
    ruby.json = part(0);
    ruby.opener = part(1);
    ruby.no_context = part(2);
    volatile VALUE version = part(3);
    ruby.version = rb_string_value_cstr(&version);
    for (VALUE* kept : {&ruby.json, &ruby.opener}) rb_gc_register_address(kept);
    ruby.event_key = rb_id2sym(rb_intern("event"));
    ruby.context_key = rb_id2sym(rb_intern("context"));
    ruby.parse = rb_intern("parse");
    ruby.generate = rb_intern("generate");
    ruby.call = rb_intern("call");
    ruby.bytesize = rb_intern("bytesize");
    const std::lock_guard lock(mutex_);
    is_inside_ = true;
    changed_.notify_all();
  }

  // By a thread of Ruby, holding the VM's lock: makes one for each job until the end.
  void serve() {
    while (Job* const job = static_cast<Job*>(rb_thread_call_without_gvl(
               [](void*) -> void* { return instance().next(); }, nullptr, nullptr, nullptr))) {
      rb_thread_create(run_job, job);
    }
    const std::lock_guard lock(mutex_);
    is_inside_ = false;
    changed_.notify_all();
  }

  void run(const std::function<void()>& work) {
    Job job{work};
    std::unique_lock lock(mutex_);
    jobs_.push_back(&job);
    changed_.notify_all();
    changed_.wait(lock, [&] { return job.is_done; });
  }

  void wait_until_inside() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_inside_; });
  }
  bool is_inside() {
    const std::lock_guard lock(mutex_);
    return is_inside_;
  }
  // The thread must be gone before the host ends the VM.
  void end() {
    std::unique_lock lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !is_inside_; });
  }

 private:
  Job* next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return has_ended_ || !jobs_.empty(); });
    if (has_ended_) return nullptr;
    Job* const job = jobs_.front();
    jobs_.pop_front();
    return job;
  }

  static VALUE run_job(void* job) {
    rb_thread_call_without_gvl(
        [](void* given) -> void* {
          Job& its = *static_cast<Job*>(given);
          its.work();
          instance().finish(its);
          return nullptr;
        },
        job, nullptr, nullptr);
    return instance().ruby.no_context;
  }
  void finish(Job& job) {
    const std::lock_guard lock(mutex_);
    job.is_done = true;
    changed_.notify_all();
  }

  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<Job*> jobs_;
  bool is_inside_ = false;
  bool has_ended_ = false;
};

class RubyLane final : public Lane {
 public:
  RubyLane(const Ruby& ruby, const std::string& folder, const std::string& function)
      : ruby_(ruby), file_(folder + "/app.rb") {
    hold([&] {
      rb_gc_register_address(&receiver_);
      method_ = rb_intern(function.c_str());
      int failed = 0;
      rb_protect(open, reinterpret_cast<VALUE>(this), &failed);
      if (failed != 0) fail("the handler cannot be loaded");
    });
  }
  ~RubyLane() override {
    hold([&] { rb_gc_unregister_address(&receiver_); });
  }

  void hold(const std::function<void()>& work) override {
    rb_thread_call_with_gvl(
        [](void* given) -> void* {
          (*static_cast<const std::function<void()>*>(given))();
          return nullptr;
        },
        const_cast<std::function<void()>*>(&work));
  }

  std::size_t call(std::string_view event) override {
    event_ = event;
    int failed = 0;
    const VALUE size = rb_protect(invoke, reinterpret_cast<VALUE>(this), &failed);
    if (failed != 0) fail("a call failed");
    return static_cast<std::size_t>(rb_num2ll(size));
  }

 private:
  // Both may leave by longjmp: nothing with a destructor in them.
  static VALUE open(VALUE self) {
    RubyLane& lane = *reinterpret_cast<RubyLane*>(self);
    const VALUE file = rb_utf8_str_new(lane.file_.data(), static_cast<long>(lane.file_.size()));
    lane.receiver_ = rb_funcallv(lane.ruby_.opener, lane.ruby_.call, 1, &file);
    return lane.receiver_;
  }
  static VALUE invoke(VALUE self) {
    RubyLane& lane = *reinterpret_cast<RubyLane*>(self);
    const Ruby& ruby = lane.ruby_;
    const VALUE text = rb_utf8_str_new(lane.event_.data(), static_cast<long>(lane.event_.size()));
    const VALUE event = rb_funcallv(ruby.json, ruby.parse, 1, &text);
    const VALUE keywords = rb_hash_new();
    rb_hash_aset(keywords, ruby.event_key, event);
    rb_hash_aset(keywords, ruby.context_key, ruby.no_context);
    const VALUE result = rb_funcallv_kw(lane.receiver_, lane.method_, 1, &keywords, 1);
    const VALUE answer = rb_funcallv(ruby.json, ruby.generate, 1, &result);
    return rb_funcallv(answer, ruby.bytesize, 0, nullptr);
  }

  const Ruby& ruby_;
  std::string file_;
  std::string_view event_;
  VALUE receiver_ = 0;
  ID method_ = 0;
};

class RubyFloor final : public Floor {
 public:
  ~RubyFloor() override { Threads::instance().end(); }
  std::string version() const override { return Threads::instance().ruby.version; }
  bool shares_one_lock() const override { return true; }
  void run(const std::function<void()>& work) override { Threads::instance().run(work); }
  std::unique_ptr<Lane> open_lane(const std::string& folder, const std::string& function) override {
    return std::make_unique<RubyLane>(Threads::instance().ruby, folder, function);
  }
};

void start_ruby() {
  // On the main thread of a VM of our own, which stays for the process's life.
  std::thread([] {
    static char program[] = "ruby";
    static char flag[] = "-e";
    static char script[] = "0";
    static char* words[] = {program, flag, script, nullptr};
    int count = 3;
    char** list = words;
    VALUE stack_base = 0;
    ruby_sysinit(&count, &list);
    ruby_init_stack(&stack_base);
    if (ruby_setup() != 0 || ruby_exec_node(ruby_options(count, list)) != 0) fail("its VM cannot be started");
    Threads::instance().come_in();
    Threads::instance().serve();
  }).detach();
  Threads::instance().wait_until_inside();
}

}  // namespace
}  // namespace bench

// `require`d by a thread of a function. Its threads join its group, which ends with the environment; this one must not.
extern "C" __attribute__((visibility("default"))) void Init_floor_ruby() {
  bench::Threads::instance().come_in();
  const VALUE thread = rb_thread_create(
      [](void*) -> VALUE {
        bench::Threads::instance().serve();
        return bench::Threads::instance().ruby.no_context;
      },
      nullptr);
  int failed = 0;
  const VALUE group = rb_eval_string_protect("ThreadGroup::Default", &failed);
  rb_funcallv(group, rb_intern("add"), 1, &thread);
}

extern "C" __attribute__((visibility("default"))) bench::Floor* lambed_bench_floor(int start) {
  if (start != 0) bench::start_ruby();
  if (!bench::Threads::instance().is_inside()) {
    throw std::runtime_error("no function has required the floor's module");
  }
  return new bench::RubyFloor;
}
