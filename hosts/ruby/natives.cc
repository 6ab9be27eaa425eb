// Hazard: every function of Ruby that is called here may leave by longjmp (an exception, Thread#raise, Thread#kill), so
// nothing with a destructor may live in these frames.
#include "natives.h"

#include <lambed/host.h>

#include <cstring>
#include <ctime>

#include "environment.h"
#include "ruby_library.h"
#include "signals.h"
#include "vm.h"

namespace lambed::ruby {

namespace {

using Method = VALUE (*)(...);

VALUE
hooks;  // Lambed::Hooks: decides what $stdout, $stderr, $stdin and $LOAD_PATH are for the current thread

long long integer(VALUE value) {
  // Small integers are tagged the same way in every version; the call is for the rest.
  return (value & 1) != 0 ? static_cast<long long>(static_cast<long>(value) >> 1) : rb.rb_num2ll(value);
}

VALUE number(long long value) { return rb.rb_ll2inum(value); }

lambed_environment& environment_of(VALUE handle) {
  return *reinterpret_cast<lambed_environment*>(static_cast<std::uintptr_t>(integer(handle)));
}

VALUE text(const std::string& bytes) {
  return rb.rb_utf8_str_new(bytes.data(), static_cast<long>(bytes.size()));
}

VALUE text_or_nil(lambed_slice slice) {
  return slice.size == 0 ? rb.nil : rb.rb_utf8_str_new(slice.data, static_cast<long>(slice.size));
}

lambed_slice slice_of(VALUE* string, VALUE size) {
  const auto bytes = static_cast<size_t>(integer(size));
  return {bytes == 0 ? nullptr : rb.rb_string_value_ptr(string), bytes};
}

void* wait_for_command(void*) {
  Vm::instance().wait_command();
  return nullptr;
}

void nudge_command_wait(void*) { Vm::instance().nudge(); }

void* wait_for_work(void* environment) {
  Vm::instance().core().wait(static_cast<lambed_environment*>(environment)->user);
  return nullptr;
}

// Ruby's RB_NOGVL_UBF_ASYNC_SAFE. In workers, where it matters, a nudge is an atomic store and a system call.
constexpr int kNudgeIsAsyncSignalSafe = 2;

void nudge_work_wait(void* environment) {
  Vm::instance().core().nudge(static_cast<lambed_environment*>(environment)->user);
}

// next_command -> [kind, handle or id, token, means]
VALUE next_command(VALUE) {
  Command command = Vm::instance().take_command();
  while (command.kind == Command::kNothing) {
    rb.rb_thread_call_without_gvl(wait_for_command, nullptr, nudge_command_wait, nullptr);
    command = Vm::instance().take_command();
  }
  const VALUE list = rb.rb_ary_new_capa(4);
  rb.rb_ary_push(list, number(command.kind));
  rb.rb_ary_push(list,
                 number(command.kind == Command::kOpen
                            ? static_cast<long long>(reinterpret_cast<std::uintptr_t>(command.environment))
                            : static_cast<long long>(command.id)));
  rb.rb_ary_push(list, number(static_cast<long long>(command.token)));
  rb.rb_ary_push(list, number(static_cast<long long>(command.means)));
  return list;
}

// options(handle) -> [id, name, version, code_id, handler, task_root, [layer], [name, value, ...], log_group, log_stream,
//                     memory_limit, json_logs]
VALUE options(VALUE, VALUE handle) {
  const lambed_environment& environment = environment_of(handle);
  const VALUE list = rb.rb_ary_new_capa(12);
  rb.rb_ary_push(list, number(static_cast<long long>(environment.id)));
  rb.rb_ary_push(list, text(environment.function_name));
  rb.rb_ary_push(list, text(environment.function_version));
  rb.rb_ary_push(list, text(environment.code_id));
  rb.rb_ary_push(list, text(environment.handler));
  rb.rb_ary_push(list, text(environment.task_root));
  const VALUE layers = rb.rb_ary_new_capa(static_cast<long>(environment.layers.size()));
  for (const std::string& layer : environment.layers) rb.rb_ary_push(layers, text(layer));
  rb.rb_ary_push(list, layers);
  const VALUE variables = rb.rb_ary_new_capa(static_cast<long>(environment.variables.size() * 2));
  for (const auto& variable : environment.variables) {
    rb.rb_ary_push(variables, text(variable.first));
    rb.rb_ary_push(variables, text(variable.second));
  }
  rb.rb_ary_push(list, variables);
  rb.rb_ary_push(list, text(environment.log_group));
  rb.rb_ary_push(list, text(environment.log_stream));
  rb.rb_ary_push(list, number(static_cast<long long>(environment.memory_limit)));
  rb.rb_ary_push(list, number(environment.json_logs ? 1 : 0));
  return list;
}

// adopt_thread(handle): the calling thread runs this environment.
VALUE adopt_thread(VALUE, VALUE handle) {
  environment_of(handle).adopt_calling_thread();
  return rb.nil;
}

// running(handle, token) -> token or nil
VALUE running(VALUE, VALUE handle, VALUE token) {
  return environment_of(handle).runs(static_cast<std::uint64_t>(integer(token))) ? token : rb.nil;
}

// busy(handle) -> handle while an answer is due (to init or to an invocation), else nil
VALUE busy(VALUE, VALUE handle) {
  const lambed_environment& environment = environment_of(handle);
  return environment.initialising || environment.running != 0 ? handle : rb.nil;
}

void answer(lambed_environment& environment, std::uint64_t token, const lambed_outcome& outcome) {
  // First of all: from here on an interrupt of this invocation must not hit the host's own code.
  if (environment.running.exchange(0) != 0) Vm::instance().end_work();
  Vm::instance().core().complete(environment.user, token, &outcome);
}

void refuse_taken(lambed_environment& environment) {
  const std::string reason = Vm::instance().poison();
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = LAMBED_OUTCOME_REFUSED;
  outcome.flags = LAMBED_OUTCOME_DISCARD;
  outcome.payload = {reason.data(), reason.size()};
  answer(environment, environment.invocation.token, outcome);
}

// take(handle) -> event, or nil when the environment is to be closed. Waits without the VM's lock.
VALUE take(VALUE, VALUE handle) {
  lambed_environment& environment = environment_of(handle);
  Vm& vm = Vm::instance();
  while (true) {
    environment.invocation.size = sizeof environment.invocation;
    switch (vm.core().take(environment.user, &environment.invocation)) {
      case LAMBED_TAKE_INVOCATION:
        if (vm.is_poisoned()) {
          refuse_taken(environment);
          continue;
        }
        environment.running.store(environment.invocation.token, std::memory_order_release);
        vm.begin_work();
        return rb.rb_utf8_str_new(environment.invocation.event.data,
                                  static_cast<long>(environment.invocation.event.size));
      case LAMBED_TAKE_CLOSE:
        return rb.nil;
      case LAMBED_TAKE_NOTHING:
        break;
    }
    // A main thread that is alone, as in workers, would otherwise get another one for each wait, which takes signals in its place.
    rb.rb_nogvl(wait_for_work, &environment, nudge_work_wait, &environment, kNudgeIsAsyncSignalSafe);
  }
}

// `known` if that is this text, else a new String: what is the same from call to call is made once. Compared byte by byte up
// to the NUL that Ruby keeps behind every String.
VALUE repeated(VALUE known, lambed_slice slice) {
  if (known == rb.nil || slice.size == 0) return text_or_nil(slice);
  const char* const bytes = rb.rb_string_value_ptr(&known);
  const bool is_same = std::strncmp(bytes, slice.data, slice.size) == 0 && bytes[slice.size] == '\0';
  return is_same ? known : text_or_nil(slice);
}

long long nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// request(handle, arn, version) -> [request_id, arn, version, deadline_ms, trace_id, client_context, identity, tenant_id,
//                                   the deadline in ns of CLOCK_MONOTONIC] of what was taken
// Takes the arn and version that it gave last, or nil, and gives the same objects again while they are right.
VALUE request(VALUE, VALUE handle, VALUE arn, VALUE version) {
  const lambed_invocation& invocation = environment_of(handle).invocation;
  // The wall clock is looked at once: it may be set while the handler runs.
  const long long deadline =
      nanoseconds(CLOCK_MONOTONIC) +
      (static_cast<long long>(invocation.deadline_epoch_ms) * 1'000'000 - nanoseconds(CLOCK_REALTIME));
  const VALUE list = rb.rb_ary_new_capa(9);
  rb.rb_ary_push(list, text_or_nil(invocation.request_id));
  rb.rb_ary_push(list, repeated(arn, invocation.invoked_function_arn));
  rb.rb_ary_push(list, repeated(version, invocation.function_version));
  rb.rb_ary_push(list, number(invocation.deadline_epoch_ms));
  rb.rb_ary_push(list, text_or_nil(invocation.trace_id));
  rb.rb_ary_push(list, text_or_nil(invocation.client_context));
  rb.rb_ary_push(list, text_or_nil(invocation.cognito_identity));
  rb.rb_ary_push(list, text_or_nil(invocation.tenant_id));
  rb.rb_ary_push(list, number(deadline));
  return list;
}

// succeed(handle, payload, payload.bytesize, flags)
VALUE succeed(VALUE, VALUE handle, VALUE payload, VALUE payload_size, VALUE flags) {
  lambed_environment& environment = environment_of(handle);
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = LAMBED_OUTCOME_SUCCESS;
  outcome.flags = static_cast<std::uint32_t>(integer(flags));
  outcome.payload = slice_of(&payload, payload_size);
  outcome.memory_peak = Vm::instance().memory.load(std::memory_order_relaxed);
  answer(environment, environment.invocation.token, outcome);
  return rb.nil;
}

// finish(handle, kind, flags, exit_code, term_signal, payload, its bytesize, error_type, its bytesize): answers what runs,
// be it an invocation or init.
VALUE finish(VALUE, VALUE handle, VALUE kind, VALUE flags, VALUE exit_code, VALUE term_signal, VALUE payload,
             VALUE payload_size, VALUE error_type, VALUE error_type_size) {
  lambed_environment& environment = environment_of(handle);
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = static_cast<std::uint32_t>(integer(kind));
  outcome.flags = static_cast<std::uint32_t>(integer(flags));
  outcome.exit_code = static_cast<std::int32_t>(integer(exit_code));
  outcome.term_signal = static_cast<std::int32_t>(integer(term_signal));
  outcome.payload = slice_of(&payload, payload_size);
  outcome.error_type = slice_of(&error_type, error_type_size);
  outcome.memory_peak = Vm::instance().memory.load(std::memory_order_relaxed);
  if (environment.initialising.exchange(false)) {
    Vm::instance().end_work();
    Vm::instance().core().opened(environment.user, &outcome);
  } else {
    answer(environment, environment.invocation.token, outcome);
  }
  return rb.nil;
}

// closed(handle): the handle is dead afterwards.
VALUE closed(VALUE, VALUE handle) {
  Vm::instance().closed(&environment_of(handle));
  return rb.nil;
}

// log(handle, stream, text, text.bytesize)
VALUE log(VALUE, VALUE handle, VALUE stream, VALUE bytes, VALUE size) {
  const lambed_slice slice = slice_of(&bytes, size);
  Vm::instance().core().log(environment_of(handle).user, static_cast<lambed_stream>(integer(stream)), slice,
                            0);
  return rb.nil;
}

// notice(handle or 0, text, text.bytesize)
VALUE notice(VALUE, VALUE handle, VALUE bytes, VALUE size) {
  const lambed_slice slice = slice_of(&bytes, size);
  Vm::instance().core().notice(integer(handle) == 0 ? nullptr : environment_of(handle).user, slice);
  return rb.nil;
}

VALUE report_memory(VALUE, VALUE bytes) {
  Vm::instance().memory.store(static_cast<std::uint64_t>(integer(bytes)), std::memory_order_relaxed);
  return rb.nil;
}

VALUE watch_child(VALUE, VALUE child) {
  Vm::instance().child_watch().watch(static_cast<pid_t>(integer(child)));
  return rb.nil;
}

// spawning(1) before the start of a child, spawning(-1) after it, by the thread that starts it
VALUE spawning(VALUE, VALUE change) {
  ChildWatch& watch = Vm::instance().child_watch();
  if (integer(change) > 0) {
    watch.begin_spawn();
    unblock_signals();
  } else {
    block_application_signals();
    watch.end_spawn();
  }
  return rb.nil;
}

// enter_child: in a child made by fork, and again when it could not become another program
VALUE enter_child(VALUE) {
  adopt_signals_of_child();
  return rb.nil;
}

// leave_child: just before that child becomes another program
VALUE leave_child(VALUE) {
  unblock_signals();
  return rb.nil;
}

template <int Index>
VALUE read_variable(ID, VALUE*) {
  const VALUE index = number(Index);
  return rb.rb_funcallv(hooks, rb.rb_intern("read"), 1, &index);
}

template <int Index>
void write_variable(VALUE value, ID, VALUE*) {
  const VALUE arguments[] = {number(Index), value};
  rb.rb_funcallv(hooks, rb.rb_intern("write"), 2, arguments);
}

// hook_variables(hooks): from now on $stdout, $stderr, $stdin and $LOAD_PATH are what hooks.read(0..3) says, and assignments
// go to hooks.write. What C code inside Ruby takes for $stdout stays what it was before.
VALUE hook_variables(VALUE, VALUE receiver) {
  hooks = receiver;
  rb.rb_gc_register_mark_object(hooks);
  rb.rb_define_virtual_variable("$stdout", read_variable<0>, write_variable<0>);
  rb.rb_define_virtual_variable("$>", read_variable<0>, write_variable<0>);
  rb.rb_define_virtual_variable("$stderr", read_variable<1>, write_variable<1>);
  rb.rb_define_virtual_variable("$stdin", read_variable<2>, write_variable<2>);
  rb.rb_define_virtual_variable("$:", read_variable<3>, write_variable<3>);
  return rb.nil;
}

template <typename Function>
void define(VALUE module, const char* name, Function function, int arity) {
  rb.rb_define_singleton_method(module, name,
                                reinterpret_cast<Method>(reinterpret_cast<void (*)()>(function)), arity);
}

}  // namespace

void define_natives() {
  int failed = 0;
  const VALUE native = rb.rb_eval_string_protect("module Lambed; module Native; self; end; end", &failed);
  define(native, "next_command", next_command, 0);
  define(native, "options", options, 1);
  define(native, "adopt_thread", adopt_thread, 1);
  define(native, "running", running, 2);
  define(native, "busy", busy, 1);
  define(native, "take", take, 1);
  define(native, "request", request, 3);
  define(native, "succeed", succeed, 4);
  define(native, "finish", finish, 9);
  define(native, "closed", closed, 1);
  define(native, "log", log, 4);
  define(native, "notice", notice, 3);
  define(native, "report_memory", report_memory, 1);
  define(native, "watch_child", watch_child, 1);
  define(native, "spawning", spawning, 1);
  define(native, "enter_child", enter_child, 0);
  define(native, "leave_child", leave_child, 0);
  define(native, "hook_variables", hook_variables, 1);
}

}  // namespace lambed::ruby
