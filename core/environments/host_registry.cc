#include "environments/host_registry.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "environments/core_table.h"
#include "environments/signal_broker.h"

namespace lambed::environments {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "liblambed_host_";
constexpr std::string_view kSuffix = ".so";

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string text_of(lambed_slice s) {
  return s.data == nullptr ? std::string() : std::string(s.data, s.size);
}

// "liblambed_host_nodejs-108.so" -> "nodejs"
std::string language_of_file(const std::string& file) {
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) return {};
  std::string name = file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size());
  return name.substr(0, name.find('-'));
}

// Next to the library (installed: lib/lambed beside liblambed.so; build tree: the same), next to the program
// (bin/lambed -> ../lib/lambed, or what the installation calls lib), and first of all where LAMBED_HOST_PATH says.
std::vector<fs::path> plugin_places(const std::vector<std::string>& folders) {
  std::vector<fs::path> places;
  if (const char* list = std::getenv("LAMBED_HOST_PATH")) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const auto colon = rest.find(':');
      if (colon != 0) places.emplace_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
  }
  places.insert(places.end(), folders.begin(), folders.end());
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&plugin_places), &info) != 0 && info.dli_fname != nullptr) {
    std::error_code ignored;
    const fs::path folder = fs::canonical(info.dli_fname, ignored).parent_path();
    places.push_back(folder / "lambed");
    places.push_back(folder.parent_path() / "lib" / "lambed");
    places.push_back(folder.parent_path() / LAMBED_LIBDIR / "lambed");
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) places.push_back(program.parent_path().parent_path() / "lib" / "lambed");
  return places;
}

// Whatever an interpreter does to the handlers of signals while it starts is undone, except for those it declares to need.
class SignalGuard {
 public:
  SignalGuard() {
    for (int s = 1; s < NSIG; ++s)
      known_[static_cast<std::size_t>(s)] = sigaction(s, nullptr, &before_[static_cast<std::size_t>(s)]) == 0;
  }
  void restore_except(const int* needed, std::size_t count) const {
    for (int s = 1; s < NSIG; ++s) {
      if (!known_[static_cast<std::size_t>(s)] || std::find(needed, needed + count, s) != needed + count)
        continue;
      struct sigaction now {};
      const struct sigaction& before = before_[static_cast<std::size_t>(s)];
      if (sigaction(s, nullptr, &now) != 0) continue;
      // ruby_setup also drops SA_RESETHAND from handlers it leaves in place: flags count as well.
      if (now.sa_sigaction != before.sa_sigaction || now.sa_flags != before.sa_flags)
        sigaction(s, &before, nullptr);
    }
  }
  const struct sigaction& before(int s) const { return before_[static_cast<std::size_t>(s)]; }

 private:
  std::array<struct sigaction, NSIG> before_{};
  std::array<bool, NSIG> known_{};
};

// Grows with every library that is loaded into this process.
std::uint64_t count_of_loaded_libraries() {
  std::uint64_t count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        *static_cast<std::uint64_t*>(result) = info->dlpi_adds;
        return 1;  // the first one tells
      },
      &count);
  return count;
}

Error unavailable(const std::string& message) { return Error(ErrorCode::HostUnavailable, message); }

}  // namespace

Result<void> Host::open(Environment& /*environment*/, const lambed_environment_options& options,
                        lambed_environment** handle) {
  std::array<char, 1024> message{};
  if (api_->open(&options, handle, message.data(), message.size()) == 0) return {};
  message.back() = '\0';
  return Error(ErrorCode::ServiceException, message.data());
}

void Host::set_description(const std::string& interpreter_version, const std::string& interpreter_path,
                           std::vector<std::string> notices) {
  if (interpreter_version_.empty()) {
    interpreter_version_ = interpreter_version;
    interpreter_path_ = interpreter_path;
  }
  std::lock_guard lock(notices_mutex_);
  notices_ = std::move(notices);
}

std::vector<std::string> Host::take_notices() {
  std::lock_guard lock(notices_mutex_);
  return std::exchange(notices_, {});
}

std::string_view language_of_runtime(std::string_view runtime) {
  return runtime.substr(0, runtime.find_first_of("0123456789."));
}

HostRegistry& HostRegistry::instance() {
  static auto* registry =
      new HostRegistry();  // never destroyed: threads of abandoned environments outlive main()
  return *registry;
}

void HostRegistry::set_context(lambed_context context) {
  std::lock_guard lock(mutex_);
  context_ = context;
}

void HostRegistry::add_folder(std::string folder) {
  std::lock_guard lock(places_mutex_);
  folders_.push_back(std::move(folder));
}

void HostRegistry::add_built_in(std::string language, const lambed_host_api& api) {
  std::lock_guard lock(places_mutex_);
  built_in_.push_back({std::move(language), "(part of the application)", &api});
}

std::vector<HostRegistry::Candidate> HostRegistry::candidates() {
  std::vector<Candidate> found;
  std::vector<std::string> folders;
  {
    std::lock_guard lock(places_mutex_);
    found = built_in_;
    folders = folders_;
  }
  const auto add = [&found](const fs::path& file) {
    const std::string language = language_of_file(file.filename().string());
    if (language.empty()) return;
    const bool known = std::any_of(found.begin(), found.end(), [&file](const Candidate& c) {
      std::error_code ignored;
      return fs::equivalent(c.path, file, ignored);
    });
    if (!known) found.push_back({language, file.string(), nullptr});
  };
  for (const fs::path& place : plugin_places(folders)) {
    std::error_code error;
    if (fs::is_regular_file(place, error)) {
      add(place);
    } else if (fs::is_directory(place, error)) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(place, error)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (const fs::path& file : files) add(file);
    }
  }
  return found;
}

std::vector<std::string> HostRegistry::languages() {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates()) names.push_back(candidate.language);
  return names;
}

std::vector<std::string> HostRegistry::plugin_files(std::string_view language) {
  std::vector<std::string> files;
  for (const Candidate& candidate : candidates())
    if (candidate.language == language && candidate.built_in == nullptr) files.push_back(candidate.path);
  return files;
}

std::vector<std::string> HostRegistry::plugin_folders() {
  std::vector<std::string> folders;
  {
    std::lock_guard lock(places_mutex_);
    folders = folders_;
  }
  std::vector<std::string> names;
  for (const fs::path& place : plugin_places(folders)) {
    std::error_code ignored;
    if (fs::is_directory(place, ignored) &&
        std::find(names.begin(), names.end(), place.string()) == names.end()) {
      names.push_back(place.string());
    }
  }
  return names;
}

Result<const lambed_host_api*> HostRegistry::load(const std::string& path) {
  // RTLD_LOCAL keeps plugins apart; never RTLD_DEEPBIND, which breaks `environ` and crashes Ruby; never dlclose.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unavailable(path + " cannot be loaded: " + dlerror());
  auto* entry = reinterpret_cast<lambed_host_entry_function>(dlsym(library, LAMBED_HOST_ENTRY));
  if (entry == nullptr) return unavailable(path + " is no lambed host: it exports no " LAMBED_HOST_ENTRY);
  return entry(LAMBED_HOST_ABI);
}

Result<Host*> HostRegistry::load_and_start(const Candidate& candidate, const HostOptions& options) {
  const lambed_host_api* api = candidate.built_in;
  if (api == nullptr) {
    auto loaded = load(candidate.path);
    if (!loaded.ok()) return loaded.error();
    api = *loaded;
  }
  if (api == nullptr || api->abi != LAMBED_HOST_ABI) {
    return unavailable(candidate.path +
                       " was built for another version of the plugin ABI; this lambed speaks version " +
                       std::to_string(LAMBED_HOST_ABI) + ". Rebuild the plugin, or remove the file.");
  }

  std::vector<lambed_option> list;
  for (const auto& [name, value] : options) list.push_back({slice(name), slice(value)});
  lambed_host_options start_options{};
  start_options.size = sizeof start_options;
  start_options.context = static_cast<std::uint32_t>(context_);
  start_options.plugin_path = slice(candidate.path);
  start_options.options = list.data();
  start_options.option_count = list.size();

  std::unique_ptr<Host> host(new Host(*api, candidate.language));
  host->plugin_path_ = candidate.path;
  host->options_ = options;

  std::array<char, 1024> message{};
  const SignalGuard guard;
  collect_start_notices(nullptr);
  const int status = api->start(&core_table(), &start_options, message.data(), message.size());
  collect_start_notices(&host->notices_);
  lambed_host_description description{};
  description.size = sizeof description;
  api->describe(&description);
  guard.restore_except(description.signals, description.signal_count);
  // Hosts that need SIGCHLD share it with the application, with libuv and with each other.
  if (std::find(description.signals, description.signals + description.signal_count, SIGCHLD) !=
      description.signals + description.signal_count) {
    adopt_signal(SIGCHLD, guard.before(SIGCHLD));
  }
  if (status != 0) {
    message.back() = '\0';
    return unavailable(message.data());
  }
  host->traits_ = description.traits;
  host->max_environments_per_version_ = description.max_environments_per_version;
  host->interpreter_version_ = text_of(description.interpreter_version);
  host->interpreter_path_ = text_of(description.interpreter_path);

  // Registered after the interpreter's libraries are loaded, so that it runs before their own exit code.
  loaded_libraries_ = count_of_loaded_libraries();
  std::atexit(&HostRegistry::at_exit);
  start_order_.push_back(host.get());
  return hosts_.emplace(candidate.language, std::move(host)).first->second.get();
}

Result<Host*> HostRegistry::host_for(std::string_view language, const HostOptions& options) {
  // Before the lock, which a thread of the parent may have held when it forked.
  pid_t nobody = 0;
  if (!owner_.compare_exchange_strong(nobody, getpid()) && nobody != getpid()) {
    return unavailable(
        "The language hosts of this process were started before fork(), and their threads stayed with the "
        "parent. "
        "Start the child with spawn instead of fork, or fork before the first function runs.");
  }
  std::lock_guard lock(mutex_);
  if (const auto it = hosts_.find(language); it != hosts_.end()) {
    Host* host = it->second.get();
    if (!options.empty() && options != host->options_) {
      return unavailable(
          "The " + std::string(language) +
          " host already runs in this process with other options, and there can be one only. Give the same "
          "host_options to every gateway of a process.");
    }
    return host;
  }
  if (const auto it = failures_.find(language); it != failures_.end()) return it->second;

  std::string problems;
  for (const Candidate& candidate : candidates()) {
    if (candidate.language != language) continue;
    auto started = load_and_start(candidate, options);
    if (started.ok()) return started;
    if (!problems.empty()) problems += " ";
    problems += started.error().message();
  }
  if (problems.empty()) {
    return unavailable("There is no plugin for " + std::string(language) +
                       ". Looked in the folder lib/lambed of the installation and in LAMBED_HOST_PATH for " +
                       std::string(kPrefix) + std::string(language) +
                       "*.so; `lambed doctor` lists what is there.");
  }
  Error error = unavailable(problems);
  failures_.emplace(std::string(language), error);
  return error;
}

std::vector<HostReport> HostRegistry::report(bool probe) {
  std::vector<HostReport> reports;
  for (const Candidate& candidate : candidates()) {
    HostReport report;
    report.language = candidate.language;
    report.plugin_path = candidate.path;
    Host* running = nullptr;
    if (probe) {
      auto host = host_for(candidate.language, {});
      if (host.ok()) {
        running = *host;
      } else {
        report.problem = host.error().message();
      }
    } else {
      std::lock_guard lock(mutex_);
      if (const auto it = hosts_.find(candidate.language); it != hosts_.end()) running = it->second.get();
    }
    if (running != nullptr && running->plugin_path_ == candidate.path) {
      report.available = true;
      report.interpreter_version = running->interpreter_version_;
      report.interpreter_path = running->interpreter_path_;
    } else if (running != nullptr) {
      report.problem = "not used: " + running->plugin_path_ + " serves " + candidate.language;
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

std::uint64_t HostRegistry::add_exit_hook(std::function<void()> close) {
  std::lock_guard lock(hooks_mutex_);
  hooks_.emplace(next_hook_, std::move(close));
  return next_hook_++;
}

void HostRegistry::remove_exit_hook(std::uint64_t id) {
  std::lock_guard lock(hooks_mutex_);
  hooks_.erase(id);
}

void HostRegistry::stay_first_at_exit() {
  const std::uint64_t loaded = count_of_loaded_libraries();
  const std::uint64_t step = ++steps_;
  if (loaded_libraries_.exchange(loaded) != loaded || std::has_single_bit(step)) {
    std::atexit(&HostRegistry::at_exit);
  }
}

void HostRegistry::at_exit() {
  HostRegistry& self = instance();
  // A forked child that leaves by exit(): what there is to close belongs to the parent.
  if (self.owner_.load() != getpid()) return;
  std::map<std::uint64_t, std::function<void()>> hooks;
  {
    std::lock_guard lock(self.hooks_mutex_);
    hooks.swap(self.hooks_);
  }
  for (auto& [id, close] : hooks) close();
  // Registered many times; the first run stops them all, the last started first.
  std::vector<Host*> order;
  {
    std::lock_guard lock(self.mutex_);
    order.swap(self.start_order_);
  }
  for (auto it = order.rbegin(); it != order.rend(); ++it) (*it)->api().stop();
}

}  // namespace lambed::environments
