// Lambda's runtime identifiers: which there are, what language they mean, where a handler's source file lies.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lambed::model {

// "python" for "python3.11", "nodejs" for "nodejs20.x", "ruby" for "ruby3.2": the language a host serves.
// Empty when the identifier is none that lambed knows.
std::string_view language_of(std::string_view runtime);

// Languages beside AWS's that some plugin serves; "java" then stands for every identifier java<version>.
using OtherLanguages = std::vector<std::string>;

// InvalidParameterValueException for an identifier that AWS does not know or no longer takes, unless it
// belongs to one of `others`.
Result<void> check_runtime(std::string_view runtime, const OtherLanguages& others = {});

// The path, relative to the task root, of the file that `handler` is looked up in, for code given as text:
// "app.py" for python and "app.handler", "pkg/app.rb", "index.js" or - when the text is an ES module -
// "index.mjs", "app.java" for another language. A handler that names no file inside the task root is an InvalidParameterValueException.
Result<std::string> inline_source_path(std::string_view runtime, std::string_view handler,
                                       std::string_view text);

}  // namespace lambed::model
