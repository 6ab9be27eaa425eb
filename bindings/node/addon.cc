#include "addon.h"

#include <lambed/embedding.h>
#include <lambed/errors.h>
#include <lambed/program.h>

#include <string>
#include <vector>

#include "convert.h"
#include "exit_hook.h"
#include "gateway_object.h"
#include "task.h"

namespace lambed::node_binding {
namespace {

// [[name, status], ...]
Napi::Value error_table(Napi::Env env) {
  Napi::Array table = Napi::Array::New(env);
  const auto add = [&](ErrorCode code) {
    const ErrorTraits& traits = traits_of(code);
    Napi::Array row = Napi::Array::New(env, 3);
    row.Set(0u, text_to_js(env, traits.name));
    row.Set(1u, Napi::Number::New(env, traits.http_status));
    row.Set(2u, text_to_js(env, traits.type));
    table.Set(table.Length(), row);
  };
#define LAMBED_ADD_ERROR(name, status, member, type) add(ErrorCode::name);
  LAMBED_ERRORS(LAMBED_ADD_ERROR)
#undef LAMBED_ADD_ERROR
  return table;
}

// hosts(probe)
Napi::Value hosts(const Napi::CallbackInfo& info) {
  const bool probe = info[0].ToBoolean();
  if (probe) start_host("nodejs");
  return run_on_pool(info.Env(), [probe] { return Gateway::hosts(probe); });
}

// runProgram([argument...]): the exit status. Blocks.
Napi::Value run_program_from_js(const Napi::CallbackInfo& info) {
  const auto list = info[0].As<Napi::Array>();
  std::vector<std::string> words = {"lambed"};
  for (std::uint32_t at = 0; at < list.Length(); ++at) {
    const Napi::Value word = list.Get(at);
    words.push_back(word.ToString().Utf8Value());
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  start_host("nodejs");
  return Napi::Number::New(info.Env(), run_program(static_cast<int>(arguments.size()), arguments.data()));
}

}  // namespace

Addon::Addon() { declare_context(Context::kNode); }

Napi::Object Addon::install(Napi::Env env, Napi::Object exports) {
  auto* addon = new Addon;
  env.SetInstanceData(addon);
  exports.Set("version", LAMBED_VERSION);
  exports.Set("errorTable", error_table(env));
  exports.Set("NativeGateway", GatewayObject::define(env));
  exports.Set("hosts", Napi::Function::New<hosts>(env, "hosts"));
  exports.Set("runProgram", Napi::Function::New<run_program_from_js>(env, "runProgram"));
  const auto method = [&](const char* name, Napi::Value (Addon::*function)(const Napi::CallbackInfo&)) {
    exports.Set(
        name, Napi::Function::New(
                  env, [addon, function](const Napi::CallbackInfo& info) { return (addon->*function)(info); },
                  name));
  };
  method("start", &Addon::start);
  method("closeAll", &Addon::close_all_from_js);
  method("endBeforeV8", &Addon::end_before_v8_from_js);
  exports.Set("hold", Napi::Function::New(
                          env, [addon](const Napi::CallbackInfo& info) { addon->mailbox().hold(info.Env()); },
                          "hold"));
  exports.Set(
      "release",
      Napi::Function::New(
          env, [addon](const Napi::CallbackInfo& info) { addon->mailbox().release(info.Env()); }, "release"));
  return exports;
}

// start(deliver, log, ended, makeError, numbers): once, before anything else.
Napi::Value Addon::start(const Napi::CallbackInfo& info) {
  mailbox_ = Mailbox::open(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Function>(),
                           info[2].As<Napi::Function>(), info[4].As<Napi::Float64Array>());
  make_error_ = Napi::Persistent(info[3].As<Napi::Function>());
  // Hooks run last in, first out: before the one by which node ends the mailbox's function. They run when a worker thread
  // ends, and when the main thread ends by itself; lib/native.cjs sees to process.exit.
  info.Env().AddCleanupHook(
      [](Addon* addon) {
        addon->close_all();
        addon->mailbox_->close();
      },
      this);
  return info.Env().Undefined();
}

Napi::Value Addon::error_to_js(Napi::Env env, const Error& error) {
  return make_error_.Call({text_to_js(env, error.name()), Napi::String::New(env, error.message()),
                           Napi::String::New(env, error.reason())});
}

void Addon::add(const std::shared_ptr<HeldGateway>& gateway) {
  // Those that were closed meanwhile need no more care, except for what they abandoned.
  std::erase_if(gateways_,
                [](const auto& each) { return each->get() == nullptr && each->status().abandoned == 0; });
  gateways_.insert(gateway);
}

bool Addon::close_all() {
  for (const std::shared_ptr<HeldGateway>& gateway : gateways_) {
    gateway->close();
    has_abandoned_ = has_abandoned_ || gateway->status().abandoned > 0;
  }
  gateways_.clear();
  return has_abandoned_;
}

// closeAll(): closes, hands over the last log records, and tells whether threads of functions run on.
Napi::Value Addon::close_all_from_js(const Napi::CallbackInfo& info) {
  const bool has_abandoned = close_all();
  mailbox_->empty(info.Env());
  return Napi::Boolean::New(info.Env(), has_abandoned);
}

// endBeforeV8(status)
Napi::Value Addon::end_before_v8_from_js(const Napi::CallbackInfo& info) {
  end_before_v8(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

}  // namespace lambed::node_binding

static Napi::Object install_addon(Napi::Env env, Napi::Object exports) {
  return lambed::node_binding::Addon::install(env, exports);
}
NODE_API_MODULE(lambed, install_addon)
