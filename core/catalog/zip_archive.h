// Unpacking a .zip that a stranger made. Functions; any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "lambed/quotas.h"

namespace lambed::catalog {

// Unpacks into `folder`, which must not exist and then holds exactly the archive's files: executables 0755, other files
// 0644, folders 0755. On any error `folder` does not exist. Never writes outside of it.
// Errors: RequestEntityTooLargeException (zipped size), InvalidParameterValueException (unzipped size, measured while
// unpacking and not believed from the headers; bad archives; entries that are absolute, lead outside, occur twice, are
// encrypted or neither file, folder nor inner symbolic link; wrong checksums), ServiceException (disk).
Result<void> extract_zip(const std::string& bytes, const std::string& folder, const Quotas& quotas);

}  // namespace lambed::catalog
