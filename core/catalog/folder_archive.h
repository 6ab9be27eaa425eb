// A folder as one stream of bytes: the same bytes for the same names, contents and executable bits, wherever and whenever the
// files were made. Its SHA-256 is the CodeSha256 of code that is given as a folder. Functions; any thread.
//
// The format, per entry in the order of the paths' bytes: a line "KIND PATH-SIZE CONTENT-SIZE\n" with KIND one of d (folder),
// f (file), x (executable file), l (symbolic link), then the path, then the content (of a link its target). Folders named
// __pycache__ are left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lambed::catalog {

struct FolderSize {
  std::uint64_t bytes = 0;  // of all files
  std::string signature;    // changes when a file is added, removed, renamed, rewritten or made executable
};

// Looks at every file without reading it. Errors: ServiceException.
Result<FolderSize> measure_folder(const std::string& folder);

// Streams the folder to `piece`. Errors: ServiceException (disk); InvalidParameterValueException (more than `most_bytes` of
// files, symbolic links that lead outside, sockets and other things that are no code).
Result<void> archive_folder(const std::string& folder, std::uint64_t most_bytes,
                            const std::function<Result<void>(std::string_view)>& piece);

// Unpacks the archive in the file at `archive_path` into `folder`, which must not exist. On any error `folder` does not
// exist. Errors: ServiceException (disk, or this is no such archive).
Result<void> unpack_folder(const std::string& archive_path, const std::string& folder);

}  // namespace lambed::catalog
