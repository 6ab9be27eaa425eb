#include "bootstrap.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "natives.h"
#include "ruby_library.h"

namespace lambed::ruby {

namespace {

VALUE text(const char* bytes) { return rb.rb_utf8_str_new(bytes, static_cast<long>(std::strlen(bytes))); }

VALUE evaluate(VALUE argument) {
  const auto* const file = reinterpret_cast<const BootstrapFile*>(argument);
  int failed = 0;
  const VALUE binding = rb.rb_eval_string_protect("TOPLEVEL_BINDING", &failed);
  const VALUE arguments[] = {text(file->source), text(file->name)};
  return rb.rb_funcallv(binding, rb.rb_intern("eval"), 2, arguments);
}

VALUE serve(VALUE) {
  int failed = 0;
  return rb.rb_eval_string_protect("Lambed::Vm.serve", &failed);
}

// The pending exception in words. Clears it.
std::string take_problem() {
  const VALUE error = rb.rb_errinfo();
  rb.rb_set_errinfo(rb.nil);
  if (error == rb.nil) return "unknown error";
  int failed = 0;
  VALUE words = rb.rb_protect(
      [](VALUE e) { return rb.rb_funcallv(e, rb.rb_intern("full_message"), 0, nullptr); }, error, &failed);
  if (failed != 0) return "unknown error";
  VALUE terminated = rb.rb_funcallv(words, rb.rb_intern("dump"), 0, nullptr);
  const VALUE size = rb.rb_funcallv(terminated, rb.rb_intern("bytesize"), 0, nullptr);
  return {rb.rb_string_value_ptr(&terminated), static_cast<size_t>(rb.rb_num2ll(size))};
}

}  // namespace

std::string load_bootstrap(BootstrapPlace place) {
  int failed = 0;
  rb.nil = rb.rb_eval_string_protect("nil", &failed);
  define_natives();
  for (const BootstrapFile* file = kBootstrapFiles; file->name != nullptr; ++file) {
    if (file->place != BootstrapPlace::kEverywhere && file->place != place) continue;
    rb.rb_protect(evaluate, reinterpret_cast<VALUE>(file), &failed);
    if (failed != 0)
      return std::string("the Ruby part of the host failed in ") + file->name + ": " + take_problem();
  }
  return {};
}

bool run_bootstrap_loop() {
  int failed = 0;
  const VALUE alone = rb.rb_protect(serve, 0, &failed);
  return failed == 0 && rb.rb_num2ll(alone) == 1;
}

void prepare_bootstrap_to_be_forked() {
  int failed = 0;
  rb.rb_eval_string_protect("Lambed::Environment.prepare_to_be_forked", &failed);
}

void tell_bootstrap_of_fork() {
  int failed = 0;
  rb.rb_eval_string_protect("Lambed::Environment.forked", &failed);
}

void serve_as_process(lambed_environment* environment) {
  int failed = 0;
  const auto handle = static_cast<long long>(reinterpret_cast<std::uintptr_t>(environment));
  rb.rb_protect(
      [](VALUE address) {
        int ignored = 0;
        const VALUE receiver = rb.rb_eval_string_protect("Lambed::Environment", &ignored);
        const VALUE number = rb.rb_ll2inum(static_cast<long long>(address));
        return rb.rb_funcallv(receiver, rb.rb_intern("serve"), 1, &number);
      },
      static_cast<VALUE>(handle), &failed);
  // Ruby ends itself as a program does: exit handlers, the exit's status, or the signal that nobody has caught.
  if (failed != 0) _exit(rb.ruby_cleanup(failed));
}

}  // namespace lambed::ruby
