#include "cli/function_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/handler_scan.h"
#include "cli/source_tree.h"

namespace lambed::cli {
namespace {

namespace fs = std::filesystem;

struct Extension {
  std::string_view suffix;
  std::string_view language;
};
constexpr std::array<Extension, 5> kExtensions{
    {{".py", "python"}, {".mjs", "nodejs"}, {".js", "nodejs"}, {".cjs", "nodejs"}, {".rb", "ruby"}}};

struct Candidate {
  std::string stem;
  Extension extension;

  std::string file() const { return stem + std::string(extension.suffix); }
};

// The files that Lambda's console makes for each language, then what sam init makes.
std::vector<Candidate> usual_files() {
  std::vector<Candidate> files;
  for (const Extension& extension : kExtensions) {
    files.push_back({extension.language == "nodejs" ? "index" : "lambda_function", extension});
  }
  for (const Extension& extension : kExtensions) files.push_back({"app", extension});
  return files;
}

std::string_view language_of_extension(const fs::path& file) {
  for (const Extension& extension : kExtensions) {
    if (file.extension() == extension.suffix) return extension.language;
  }
  return {};
}

// "python3.11" and "python" -> "python". Whether the version exists is for the gateway to say.
std::string language_of_wish(std::string_view runtime) {
  for (const std::string_view language : {"python", "nodejs", "ruby"}) {
    if (runtime.starts_with(language)) return std::string(language);
  }
  throw CommandError(fmt::format(
      "--runtime {}: not a runtime that lambed knows; it is like python3.12, nodejs20.x or ruby3.3",
      runtime));
}

std::string name_from(const fs::path& path) {
  std::string name = path.stem().string();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '-';
  }
  name.resize(std::min<std::size_t>(name.size(), 64));
  return name.empty() ? "function" : name;
}

// "function" in "pkg/app.function": what stands before the dot that ends the file's name.
std::string stem_of_handler(std::string_view language, const std::string& handler) {
  const std::size_t slash = handler.rfind('/');
  const std::size_t after_slash = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t dot = language == "python" ? handler.rfind('.') : handler.find('.', after_slash);
  if (dot == std::string::npos || dot <= after_slash) return {};
  std::string stem = handler.substr(0, dot);
  if (language == "python") std::replace(stem.begin(), stem.end(), '.', '/');
  return stem;
}

std::string default_handler(const Candidate& candidate) {
  return candidate.stem + "." + usual_handler_names(candidate.extension.language).front();
}

// Where the handler string says everything about the file: the language is that of the file that exists.
std::string language_for_handler(const std::string& path, const SourceTree& tree,
                                 const std::string& handler) {
  std::vector<std::string> tried;
  for (const Extension& extension : kExtensions) {
    const std::string stem = stem_of_handler(extension.language, handler);
    if (stem.empty()) {
      throw CommandError(
          fmt::format("--handler {}: write it as file.function, for example app.handler", handler));
    }
    tried.push_back(stem + std::string(extension.suffix));
    if (tree.read(tried.back())) return std::string(extension.language);
  }
  throw CommandError(
      fmt::format("{}: no file for --handler {}; looked for {}. If it lies elsewhere, say the language with "
                  "--runtime",
                  path, handler, fmt::join(tried, ", ")));
}

std::string no_function_text(const std::string& path, const SourceTree& tree, std::string_view language) {
  std::vector<std::string> tried;
  for (const Candidate& candidate : usual_files()) {
    if (language.empty() || candidate.extension.language == language) tried.push_back(candidate.file());
  }
  const std::vector<std::string> names = tree.top_names();
  std::string text = fmt::format("{}: no handler found; looked for {}. ", path, fmt::join(tried, ", "));
  if (names.empty()) return text + "It is empty";
  if (names.size() == 1 && names.front().ends_with('/')) {
    return text + fmt::format("All of it lies in the folder {}: give (or zip) that folder's content instead",
                              names.front());
  }
  return text + "Name yours with --handler FILE.FUNCTION";
}

void guess(FunctionSource& source, const std::string& path, const SourceTree& tree) {
  std::vector<std::pair<Candidate, std::string>> found;
  for (const Candidate& candidate : usual_files()) {
    if (!source.language.empty() && candidate.extension.language != source.language) continue;
    if (auto text = tree.read(candidate.file())) found.emplace_back(candidate, *std::move(text));
  }
  if (found.empty()) throw CommandError(no_function_text(path, tree, source.language));
  const auto& [candidate, text] = found.front();
  for (const auto& other : found) {
    if (other.first.extension.language != candidate.extension.language && other.first.stem != "app") {
      throw CommandError(fmt::format("{}: {} and {} are both there; say which one with --handler", path,
                                     candidate.file(), other.first.file()));
    }
  }
  source.language = candidate.extension.language;
  if (const auto function = find_handler(source.language, text)) {
    source.handler = candidate.stem + "." + *function;
  } else if (candidate.stem != "app") {
    source.handler = default_handler(candidate);  // Lambda's default: its own error then says what is missing
  } else {
    throw CommandError(fmt::format(
        "{}: {} defines none of the usual handlers ({}); name yours with --handler {}.FUNCTION", path,
        candidate.file(), fmt::join(usual_handler_names(source.language), ", "), candidate.stem));
  }
}

void guess_in_file(FunctionSource& source, const fs::path& file) {
  const std::string stem = file.stem().string();
  const auto function = find_handler(source.language, read_file(file.string()));
  if (function) {
    source.handler = stem + "." + *function;
  } else if (stem == "lambda_function" || stem == "index") {
    source.handler = stem + "." + usual_handler_names(source.language).front();
  } else {
    throw CommandError(
        fmt::format("{}: defines none of the usual handlers ({}); name yours with --handler {}.FUNCTION",
                    file.string(), fmt::join(usual_handler_names(source.language), ", "), stem));
  }
}

}  // namespace

FunctionSource find_function(const std::string& path, std::string_view runtime, const std::string& handler) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status)) throw CommandError(fmt::format("{}: no such file or folder", path));
  const fs::path absolute = fs::weakly_canonical(path, failure);

  FunctionSource source;
  source.handler = handler;
  if (!runtime.empty()) source.language = language_of_wish(runtime);

  std::unique_ptr<SourceTree> tree;
  std::string zip_bytes;
  if (fs::is_directory(status)) {
    source.name = name_from(absolute.filename());
    source.code = Code::directory(absolute.string());
    tree = open_folder(absolute.string());
  } else if (const std::string_view language = language_of_extension(absolute); !language.empty()) {
    if (!source.language.empty() && source.language != language) {
      throw CommandError(
          fmt::format("{}: a file in {} cannot run with --runtime {}", path, language, runtime));
    }
    source.language = language;
    source.name = name_from(absolute);
    // The folder, not the text alone: the file may import its neighbours.
    source.code = Code::directory(absolute.parent_path().string());
    if (handler.empty()) guess_in_file(source, absolute);
    return source;
  } else {
    if (absolute.extension() != ".zip") {
      throw CommandError(fmt::format(
          "{}: give a folder, a .zip, or a source file that ends in .py, .js, .mjs, .cjs or .rb", path));
    }
    zip_bytes = read_file(absolute.string());
    source.name = name_from(absolute);
    tree = open_zip(path, zip_bytes);
  }

  if (handler.empty()) {
    guess(source, path, *tree);
  } else if (source.language.empty()) {
    source.language = language_for_handler(path, *tree, handler);
  }
  tree.reset();
  if (!zip_bytes.empty()) source.code = Code::zip(std::move(zip_bytes));
  return source;
}

std::string runtime_for(std::string_view language, std::string_view interpreter_version) {
  int major = 0;
  int minor = 0;
  const char* const end = interpreter_version.data() + interpreter_version.size();
  const auto parsed = std::from_chars(interpreter_version.data(), end, major);
  if (parsed.ptr < end && *parsed.ptr == '.') std::from_chars(parsed.ptr + 1, end, minor);
  if (language == "nodejs") return fmt::format("nodejs{}.x", major);
  if (language == "ruby" && (major < 3 || (major == 3 && minor < 2))) return "ruby3.2";
  return fmt::format("{}{}.{}", language, major, minor);
}

}  // namespace lambed::cli
