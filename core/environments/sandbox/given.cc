#include "environments/sandbox/given.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

Result<void> describe_folder(const std::string& path, Given::Folder& folder) {
  if (path.size() >= sizeof folder.path)
    return Error(ErrorCode::ServiceException, fmt::format("The path {} is too long", path));
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return system_error("Could not look at " + path, errno);
  std::memcpy(folder.path, path.c_str(), path.size() + 1);
  folder.device = found.st_dev;
  folder.inode = found.st_ino;
  return {};
}

}  // namespace

Result<std::unique_ptr<Given>> Given::describe(const Spec& spec) {
  auto given = std::make_unique<Given>();
  given->limits = spec.limits;
  const Network& network = spec.network;
  if (!network.address.empty() || network.allowed || !network.unreachable.empty())
    return Error(ErrorCode::ServiceException, "A prepared process has no place in a network of its own");
  given->host_loopback = network.host_loopback;
  if (!spec.place.task_root.empty()) {
    if (auto done = describe_folder(spec.place.task_root, given->task_root); !done) return done.error();
  }
  if (spec.place.layers.size() > kMostLayers)
    return Error(ErrorCode::ServiceException,
                 fmt::format("A prepared process takes {} layers at most", kMostLayers));
  for (const std::string& layer : spec.place.layers) {
    if (auto done = describe_folder(layer, given->layers[given->layer_count++]); !done) return done.error();
  }
  return given;
}

std::vector<KnownFolder> Given::known_layers() const {
  std::vector<KnownFolder> folders;
  for (int i = 0; i < layer_count; ++i) folders.push_back(known(layers[i]));
  return folders;
}

}  // namespace lambed::sandbox
