// A request on its way through the Api. Internal to api/.
#pragma once

#include "api/api.h"

namespace lambed::api {

struct Api::Handling {
  Handling(http::Exchange its_exchange, Nanos now)
      : exchange(std::move(its_exchange)), call{exchange.request(), {}, {}, nullptr, {}, {}}, start(now) {}

  http::Exchange exchange;
  Call call;
  Nanos start;
  Scope* scope = nullptr;
  std::string function;  // its ARN, for the access log and the metrics
};

}  // namespace lambed::api
