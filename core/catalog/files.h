// Writing and reading whole files and folders, with errors as values. Functions; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace lambed::catalog {

// A ServiceException with the cause from errno: "Could not write /x: No space left on device".
Error disk_error(const std::string& what, const std::string& path, int error_number);

// A new file (it must not exist, no symbolic link is followed). Errors: disk_error.
Result<Descriptor> create_file(const std::string& path, bool executable);
Result<void> write_all(const Descriptor& file, std::string_view bytes, const std::string& path);
Result<void> write_file(const std::string& path, std::string_view bytes, bool executable);

// The file in pieces. Errors: disk_error.
Result<void> read_file(const std::string& path, const std::function<Result<void>(std::string_view)>& piece);

// A path inside a folder that is being filled, as an archive names it: relative, no empty, "." or ".." parts, no NUL, no
// backslash (which is a separator to those who wrote such an archive).
bool is_safe_path(std::string_view path);
// The target of a symbolic link that lies at `link` (a safe path) stays inside the folder: relative, ".." only at its front
// and no more of them than the link is deep. A later ".." could leave through another link.
bool is_safe_link(std::string_view link, std::string_view target);

}  // namespace lambed::catalog
