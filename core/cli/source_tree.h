// The files that a function is made of, before it is one: a folder or a .zip. Read only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lambed::cli {

class SourceTree {
 public:
  virtual ~SourceTree() = default;
  // `path` is relative, with slashes. nullopt: there is no such file.
  virtual std::optional<std::string> read(const std::string& path) const = 0;
  // Names in the top folder; folders end in a slash. Sorted.
  virtual std::vector<std::string> top_names() const = 0;
};

std::unique_ptr<SourceTree> open_folder(const std::string& path);
// `bytes` must outlive the tree. `path` is for the CommandError that tells what is wrong with the archive.
std::unique_ptr<SourceTree> open_zip(const std::string& path, const std::string& bytes);

// The content of a file, or a CommandError that says why not.
std::string read_file(const std::string& path);

}  // namespace lambed::cli
