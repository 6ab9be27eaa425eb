// The code of a function on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace lambed::catalog {

// Where a package comes from: what the catalogue keeps of it.
struct CodeReference {
  enum class Form {
    kLiveFolder,   // `path`: the caller's folder
    kZip,          // blob: the bytes of the zip
    kInline,       // blob: the text; `path`: its file, relative to the task root
    kFrozenFolder  // blob: a folder archive (catalog/folder_archive.h)
  };
  Form form = Form::kLiveFolder;
  std::string path;
  std::string blob;        // SHA-256 in hexadecimal digits; empty for a live folder
  std::uint64_t size = 0;  // of the blob
  bool operator==(const CodeReference&) const = default;
};

// A folder with code that stays there as long as anyone holds this object. Two kinds: a *live* folder belongs
// to the caller and is used where it lies; a *stored* one belongs to the package store, is named by the
// SHA-256 of what it holds, is shared by all functions with the same code and is removed with its last
// holder. Threads: every method may be called from any thread. The methods below may touch the disk; none is
// for the hot path except code_id().
class CodePackage {
 public:
  virtual ~CodePackage() = default;
  CodePackage(const CodePackage&) = delete;
  CodePackage& operator=(const CodePackage&) = delete;

  // Equal for packages that hold the same code; for a live folder it names the folder, whatever lies in it.
  virtual const std::string& code_id() const = 0;
  // Absolute path of the folder; for environments. A stored package that is not on this machine's disk yet is
  // unpacked from the blobs first. Errors: ServiceException (disk full, folder gone),
  // InvalidParameterValueException (bad zip).
  virtual Result<std::string> task_root() = 0;
  // base64(SHA-256): of the zip; for inline source of the text; for a live folder of a deterministic listing
  // (paths, modes and contents in order), computed when asked for and anew when something in the folder has
  // changed.
  virtual Result<std::string> sha256() = 0;
  // Bytes of the zip or source, for a live folder of all its files.
  virtual Result<std::uint64_t> size() = 0;
  virtual const CodeReference& reference() const = 0;
  bool is_live() const { return reference().form == CodeReference::Form::kLiveFolder; }

 protected:
  CodePackage() = default;
};

}  // namespace lambed::catalog
