// An error answer of the REST API: which fields it has differs by error, as AWS's do. A value.
//
// Inside of api/ operations throw Fault (and lambed::Error, which becomes one); Api catches both at one place. Nothing else
// may leave an operation.
#pragma once

#include <string>
#include <utility>

#include "http/message.h"
#include "lambed/errors.h"

namespace lambed::api {

struct Fault {
  int status = 400;
  std::string name;  // "ValidationException": the header x-amzn-ErrorType
  std::string message;
  std::string message_member = "message";
  std::string type = "User";  // "": no such member
  std::string reason = {};    // of a throttle

  Fault() = default;
  Fault(int http_status, std::string error_name, std::string text)
      : status(http_status), name(std::move(error_name)), message(std::move(text)) {}
  explicit Fault(const Error& error);
};

http::Response to_response(const Fault& fault);
// The same for the query protocol of STS and IAM: XML.
http::Response to_xml_response(const Fault& fault, const std::string& request_id);

std::string xml_text(const std::string& text);

}  // namespace lambed::api
