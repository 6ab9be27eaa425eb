#include "bootstrap.h"

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

std::string load_bootstrap() {
  int failed = 0;
  rb.nil = rb.rb_eval_string_protect("nil", &failed);
  define_natives();
  for (const BootstrapFile* file = kBootstrapFiles; file->name != nullptr; ++file) {
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

}  // namespace lambed::ruby
