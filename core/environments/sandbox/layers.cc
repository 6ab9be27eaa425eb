// The names of the layers.
#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

const char* name_of(Layer layer) {
  switch (layer) {
    case Layer::kRootCgroup2:
      return "root with cgroup v2";
    case Layer::kRootCgroup1:
      return "root with cgroup v1";
    case Layer::kUserNamespace:
      return "user namespaces";
    case Layer::kBare:
      return "seccomp and Landlock only";
  }
  return "";
}

const char* word_for(Layer layer) {
  switch (layer) {
    case Layer::kRootCgroup2:
      return "cgroup2";
    case Layer::kRootCgroup1:
      return "cgroup1";
    case Layer::kUserNamespace:
      return "user";
    case Layer::kBare:
      return "bare";
  }
  return "";
}

std::optional<Layer> layer_of_word(std::string_view word) {
  for (const Layer layer : kLayers) {
    if (word == word_for(layer)) return layer;
  }
  return std::nullopt;
}

}  // namespace lambed::sandbox
