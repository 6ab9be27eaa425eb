// Lambda's quotas, as configuration. `classic` (the default) is AWS's table of the early years, `current` today's.
// Sizes are bytes unless the name says otherwise. Values; any thread may use them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace [[gnu::visibility("default")]] lambed {

struct Quotas {
  std::string_view name = "classic";

  int memory_min_mb = 128;
  int memory_max_mb = 3008;
  int memory_step_mb = 64;
  int timeout_min_s = 1;
  int timeout_max_s = 900;
  int timeout_default_s = 3;
  std::chrono::milliseconds init_timeout{
      10'000};  // what Lambda allows the init phase of an on-demand environment

  std::uint64_t environment_variables = 4096;  // of the compact JSON of the map
  std::uint64_t resource_policy = 20 * 1024;
  int layers_per_function = 5;

  std::uint64_t sync_payload = 6'291'456;   // request
  std::uint64_t sync_response = 6'291'556;  // AWS names 100 bytes more for the response
  std::uint64_t async_payload = 262'144;

  std::uint64_t zip_upload = 52'428'800;
  std::uint64_t unzipped_code = 262'144'000;
  std::uint64_t console_editor = 3 * 1024 * 1024;
  std::uint64_t stored_code = 75ull * 1024 * 1024 * 1024;

  int tmp_min_mb = 512;
  int tmp_max_mb = 512;
  int file_descriptors = 1024;
  int processes_and_threads = 1024;

  int account_concurrency = 1000;
  int unreserved_concurrency_min = 100;

  std::chrono::milliseconds billing_step{100};

  static Quotas classic() { return {}; }
  static Quotas current() {
    Quotas q;
    q.name = "current";
    q.memory_max_mb = 10'240;
    q.memory_step_mb = 1;
    q.async_payload = 1'048'576;
    q.tmp_max_mb = 10'240;
    q.billing_step = std::chrono::milliseconds{1};
    return q;
  }
};

}  // namespace lambed
