// Values of the public C++ API to JavaScript and back. Names are the C++ ones in camelCase; units are seconds and MB where
// AWS has them, milliseconds else. A member of the wrong type throws a TypeError that names it.
#ifndef LAMBED_BINDINGS_NODE_CONVERT_H
#define LAMBED_BINDINGS_NODE_CONVERT_H

#include <lambed/gateway.h>
#include <napi.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambed::node_binding {

Napi::String text_to_js(Napi::Env env, std::string_view text);

Napi::Value to_js(Napi::Env env, const FunctionConfiguration& configuration);
Napi::Value to_js(Napi::Env env, const std::vector<FunctionConfiguration>& configurations);
Napi::Value to_js(Napi::Env env, const AliasConfiguration& alias);
Napi::Value to_js(Napi::Env env, const std::vector<AliasConfiguration>& aliases);
Napi::Value to_js(Napi::Env env, const EventInvokeConfiguration& configuration);
Napi::Value to_js(Napi::Env env, const std::vector<EventInvokeConfiguration>& configurations);
Napi::Value to_js(Napi::Env env, const DeadLetter& letter);
Napi::Value to_js(Napi::Env env, const std::vector<DeadLetter>& letters);
Napi::Value to_js(Napi::Env env, const Redrive& redrive);
Napi::Value to_js(Napi::Env env, std::size_t number);
Napi::Value to_js(Napi::Env env, const FunctionUsage& usage);
Napi::Value to_js(Napi::Env env, const GatewayStatus& status);
Napi::Value to_js(Napi::Env env, const EventOutcome& outcome);
Napi::Value to_js(Napi::Env env, const EventStatus& status);
Napi::Value to_js(Napi::Env env, const EventCounts& counts);
Napi::Value to_js(Napi::Env env, const HostReport& host);
Napi::Value to_js(Napi::Env env, const std::vector<HostReport>& hosts);
Napi::Value to_js(Napi::Env env, const std::optional<int>& number);
Napi::Object to_js(Napi::Env env, const StoredLogRecord& record);

template <typename T>
Napi::Value list_to_js(Napi::Env env, const std::vector<T>& items) {
  Napi::Array list = Napi::Array::New(env, items.size());
  for (std::uint32_t at = 0; at < items.size(); ++at) list.Set(at, to_js(env, items[at]));
  return list;
}

// Reads one object: each method answers nothing for a member that is undefined or null.
class Members {
 public:
  explicit Members(const Napi::Value& value);

  std::optional<std::string> text(const char* name) const;
  std::string required_text(const char* name) const;
  std::optional<int> integer(const char* name) const;
  std::optional<std::chrono::milliseconds> milliseconds(const char* name) const;
  bool flag(const char* name) const;
  std::optional<std::vector<std::string>> texts(const char* name) const;
  std::optional<std::map<std::string, std::string>> text_map(const char* name) const;
  std::optional<std::map<std::string, double>> number_map(const char* name) const;
  std::optional<Napi::Object> object(const char* name) const;

 private:
  std::optional<Napi::Value> member(const char* name) const;
  Napi::Env env() const { return object_.Env(); }

  Napi::Object object_;
};

CreateFunctionRequest create_function_request(const Napi::Value& value);
UpdateCodeRequest update_code_request(const Napi::Value& value);
UpdateConfigurationRequest update_configuration_request(const Napi::Value& value);
PublishVersionRequest publish_version_request(const Napi::Value& value);
AliasRequest alias_request(const Napi::Value& value);
EventInvokeRequest event_invoke_request(const Napi::Value& value);
// Of undefined: all of them.
DeadLetterQuery dead_letter_query(const Napi::Value& value);
DeadLetterSelection dead_letter_selection(const Napi::Value& value);
// All but the log sink.
GatewayOptions gateway_options(const Napi::Value& value);
// A string, or the bytes of a typed array or ArrayBuffer.
std::string payload_of(const Napi::Value& value);
// The text of a string; empty for undefined and null.
std::string optional_text(const Napi::Value& value, const char* name);

}  // namespace lambed::node_binding
#endif
