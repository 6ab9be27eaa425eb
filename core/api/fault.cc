#include "api/fault.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace lambed::api {

Fault::Fault(const Error& error)
    : status(error.http_status()),
      name(error.name()),
      message(error.message()),
      message_member(traits_of(error.code()).message_member),
      type(traits_of(error.code()).type),
      reason(error.reason()) {}

http::Response to_response(const Fault& fault) {
  nlohmann::json body = {{fault.message_member, fault.message}};
  if (!fault.type.empty()) body["Type"] = fault.type;
  if (!fault.reason.empty()) body["Reason"] = fault.reason;
  http::Response response;
  response.status = fault.status;
  response.with("Content-Type", "application/json").with("x-amzn-ErrorType", fault.name);
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

http::Response to_xml_response(const Fault& fault, const std::string& request_id) {
  http::Response response;
  response.status = fault.status;
  response.with("Content-Type", "text/xml");
  response.body = fmt::format(
      "<ErrorResponse><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>"
      "<RequestId>{}</RequestId></ErrorResponse>",
      fault.status < 500 ? "Sender" : "Receiver", xml_text(fault.name), xml_text(fault.message), request_id);
  return response;
}

}  // namespace lambed::api
