// The functions that the bootstrap's JavaScript calls as `native.*`.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "bridge.h"

namespace lambed::node_host {
namespace {

using v8::Isolate;
using v8::Local;
using v8::Value;

int32_t integer(const v8::FunctionCallbackInfo<Value>& arguments, int at) {
  return arguments[at]->Int32Value(arguments.GetIsolate()->GetCurrentContext()).FromMaybe(0);
}

void throw_system_error(Isolate* isolate, const char* what, int error) {
  const std::string message = std::string(uv_err_name(-error)) + ": " + uv_strerror(-error) + ", " + what;
  isolate->ThrowException(v8::Exception::Error(to_js_short(isolate, message)));
}

}  // namespace

Bridge& Bridge::of(const Arguments& arguments) {
  return *static_cast<Bridge*>(arguments.Data().As<v8::External>()->Value());
}

Local<v8::Object> Bridge::native_functions(Local<v8::Context> context) {
  Isolate* isolate = context->GetIsolate();
  const Local<v8::Object> result = v8::Object::New(isolate);
  const Local<v8::External> self = v8::External::New(isolate, this);
  const std::pair<const char*, v8::FunctionCallback> functions[] = {{"log", log},
                                                                    {"succeed", succeed},
                                                                    {"fail", native_fail},
                                                                    {"fatal", fatal},
                                                                    {"refuse", refuse},
                                                                    {"killed", killed},
                                                                    {"cwd", cwd},
                                                                    {"chdir", chdir},
                                                                    {"umask", umask},
                                                                    {"processGroup", process_group},
                                                                    {"memoryRefused", memory_refused}};
  for (const auto& [name, callback] : functions) {
    const Local<v8::Function> function = v8::Function::New(context, callback, self).ToLocalChecked();
    result->Set(context, to_js_short(isolate, name), function).Check();
  }
  return result;
}

// log(stream, string or typed array)
void Bridge::log(const Arguments& arguments) {
  Bridge& bridge = of(arguments);
  Isolate* isolate = arguments.GetIsolate();
  const auto stream = static_cast<lambed_stream>(integer(arguments, 0));
  if (arguments[1]->IsArrayBufferView()) {
    const auto bytes = arguments[1].As<v8::ArrayBufferView>();
    const auto store = bytes->Buffer()->GetBackingStore();
    const auto* data = static_cast<const char*>(store->Data()) + bytes->ByteOffset();
    bridge.core_.log(bridge.options_.user, stream, {data, bytes->ByteLength()}, 0);
    return;
  }
  Local<v8::String> text;
  if (!arguments[1]->ToString(isolate->GetCurrentContext()).ToLocal(&text)) return;
  bridge.core_.log(bridge.options_.user, stream, slice(bridge.log_buffer_.read(isolate, text)), 0);
}

// succeed(text, waits for an empty event loop)
void Bridge::succeed(const Arguments& arguments) {
  Bridge& bridge = of(arguments);
  if (bridge.answer.kind == AnswerKind::kNone) {
    bridge.answer.set(AnswerKind::kSucceeded,
                      bridge.log_buffer_.read(arguments.GetIsolate(), arguments[0].As<v8::String>()));
    bridge.answer.waits_for_empty_loop = arguments[1]->BooleanValue(arguments.GetIsolate());
  }
  if (!bridge.answer.waits_for_empty_loop) bridge.stop_loop();
}

// fail(document, type)
void Bridge::native_fail(const Arguments& arguments) {
  Bridge& bridge = of(arguments);
  Isolate* isolate = arguments.GetIsolate();
  bridge.answer.set(AnswerKind::kFailed, to_string(isolate, arguments[0]), to_string(isolate, arguments[1]));
  bridge.stop_loop();
}

// fatal(document, type): Lambda's runtime answers with the document and ends its process.
void Bridge::fatal(const Arguments& arguments) {
  native_fail(arguments);
  of(arguments).answer.ends_environment = true;
  of(arguments).answer.waits_for_empty_loop = false;
}

// refuse(message)
void Bridge::refuse(const Arguments& arguments) {
  of(arguments).answer.set(AnswerKind::kRefused, to_string(arguments.GetIsolate(), arguments[0]));
}

// killed(signal number): the function sent itself a deadly signal.
void Bridge::killed(const Arguments& arguments) {
  Bridge& bridge = of(arguments);
  bridge.answer.set_exited(0, integer(arguments, 0));
  bridge.stop_.stop();
}

void Bridge::memory_refused(const Arguments& arguments) { of(arguments).instance_.memory().note_refusal(); }

void Bridge::wake_up(const Arguments& arguments) { of(arguments).stop_loop(); }

void Bridge::cwd(const Arguments& arguments) {
  char folder[PATH_MAX];
  if (::getcwd(folder, sizeof folder) == nullptr)
    return throw_system_error(arguments.GetIsolate(), "getcwd", errno);
  arguments.GetReturnValue().Set(to_js_short(arguments.GetIsolate(), folder));
}

// chdir(path), umask(mask): this thread's own, see Environment::own_working_directory.
void Bridge::chdir(const Arguments& arguments) {
  const std::string folder = to_string(arguments.GetIsolate(), arguments[0]);
  if (::chdir(folder.c_str()) != 0)
    throw_system_error(arguments.GetIsolate(), ("chdir '" + folder + "'").c_str(), errno);
}

void Bridge::umask(const Arguments& arguments) {
  const int32_t mask = integer(arguments, 0);
  const mode_t before = ::umask(mask < 0 ? 0 : static_cast<mode_t>(mask) & 0777);
  if (mask < 0) ::umask(before);
  arguments.GetReturnValue().Set(static_cast<int32_t>(before));
}

void Bridge::process_group(const Arguments& arguments) {
  arguments.GetReturnValue().Set(static_cast<int32_t>(getpgrp()));
}

}  // namespace lambed::node_host
