// Looks for a handler in the text of a source file. A cheap scan, line by line, no parser: it only has to be
// right about how people write handlers, and whoever writes one differently names it with --handler. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambed::cli {

// The names that are tried, in this order: Lambda's own default for the language first.
std::vector<std::string> usual_handler_names(std::string_view language);

// The first usual name that `text` defines (imports, exports), as it would stand after "file." in a handler
// string: "handler", in Ruby also "Orders.handler" for a method of a class or module.
std::optional<std::string> find_handler(std::string_view language, std::string_view text);

}  // namespace lambed::cli
