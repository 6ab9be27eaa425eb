// What the engine does beside invoking: follows the catalogue, watches deadlines, expires environments, closes.
#include <malloc.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "environments/host_registry.h"
#include "invocation/answers.h"
#include "invocation/engine.h"

namespace lambed::invocation {
namespace {

// How often the loop looks for environments to expire while there are any: often enough for the configured time, seldom
// enough to cost nothing.
Nanos sweep_pause(const GatewayOptions& options) {
  return std::clamp(to_nanos(options.idle_expiry) / 4, to_nanos(std::chrono::milliseconds(10)),
                    to_nanos(std::chrono::seconds(10)));
}

constexpr Nanos kTrimPause = to_nanos(std::chrono::seconds(2));

// Environments run on threads of their own, and each thread allocates from one of glibc's dozens of arenas, which keep what an
// environment has freed: several times as much, in the end, as is in use. Takes milliseconds.
void give_back_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

std::set<std::uint64_t> snapshot_ids(const std::shared_ptr<const catalog::FunctionSnapshot>& snapshot) {
  std::set<std::uint64_t> ids;
  if (snapshot == nullptr) return ids;
  if (snapshot->latest != nullptr) ids.insert(snapshot->latest->snapshot_id);
  for (const auto& [number, version] : snapshot->versions) ids.insert(version->snapshot_id);
  return ids;
}

}  // namespace

std::shared_ptr<Engine> Engine::start(const GatewayOptions& options, catalog::Directory& directory) {
  std::shared_ptr<Engine> engine(new Engine(options, directory));
  const std::weak_ptr<Engine> weak = engine;
  directory.add_listener([weak](const Snapshot& before, const Snapshot& now) {
    if (const auto self = weak.lock()) self->catalogue_changed(before, now);
  });
  // Functions that were stored before: nobody writes yet, so none is told twice.
  for (const Snapshot& stored : directory.all()) engine->catalogue_changed(nullptr, stored);
  engine->services_->loop->post([weak, loop = engine->services_->loop.get()] {
    loop->set_scan([weak](Nanos now) {
      const auto self = weak.lock();
      return self == nullptr ? kNever : self->scan(now);
    });
    loop->set_spin_time([weak](bool had_work) {
      const auto self = had_work ? weak.lock() : nullptr;
      return self == nullptr ? 0 : self->services_->spin_time(0);
    });
  });
  engine->exit_hook_ = environments::HostRegistry::instance().add_exit_hook([weak] {
    if (const auto self = weak.lock()) self->close();
  });
  return engine;
}

void Engine::catalogue_changed(const Snapshot& before, const Snapshot& now) {
  const bool same_function = before != nullptr && now != nullptr && before->id == now->id;
  services_->account.change_reserved((now != nullptr ? now->reserved_concurrency.value_or(0) : 0) -
                                     (before != nullptr ? before->reserved_concurrency.value_or(0) : 0));
  std::set<std::uint64_t> gone = snapshot_ids(before);
  for (const std::uint64_t id : snapshot_ids(now)) gone.erase(id);
  for (const std::uint64_t id : gone) {
    Shard& shard = shards_[id % shards_.size()];
    std::shared_ptr<EnvironmentPool> pool;
    {
      std::lock_guard lock(shard.mutex);
      const auto it = shard.pools.find(id);
      if (it != shard.pools.end()) pool = it->second;
    }
    if (pool != nullptr) retire(*pool);
  }
  if (before != nullptr && !same_function) {
    std::lock_guard lock(states_mutex_);
    states_.erase(before->id);
  }
  if (now == nullptr) return;
  const auto keep_warm = [this, &before](const Version& version) {
    if (version == nullptr) return;
    const auto earlier = before == nullptr ? 0 : [&] {
      const auto it = before->versions.find(version->version);
      return it == before->versions.end() ? 0 : it->second->provisioned_concurrency;
    }();
    if (version->provisioned_concurrency == 0 && earlier == 0) return;
    if (const auto pool = pool_for(version)) pool->keep_warm(version->provisioned_concurrency);
  };
  keep_warm(now->latest);
  for (const auto& [number, version] : now->versions) keep_warm(version);
}

// ---- On the core loop.

Nanos Engine::scan(Nanos now) {
  Nanos next = kNever;
  services_->table.for_each([&](Invocation& invocation) {
    const std::uint64_t token = invocation.token();
    const Nanos deadline = invocation.deadline.load(std::memory_order_seq_cst);
    if (deadline == kNever || invocation.is_answered(token)) return;
    if (deadline <= now) {
      expire(invocation, token, now);
    } else {
      next = std::min(next, deadline);
    }
  });
  if (services_->attentive.exchange(false, std::memory_order_seq_cst))
    next = std::min(next, now + CoreLoop::kAttention);
  if (services_->environments.open() == 0 && !services_->environments.may_have_closed() &&
      retired_pools_.load() == 0 && services_->warm_pools.load() == 0) {
    return next;
  }
  if (services_->environments.may_have_closed()) {
    if (now >= next_trim_) {
      next_trim_ = now + kTrimPause;
      services_->environments.have_closed();
      services_->opener.post(give_back_memory);
    }
    next = std::min(next, next_trim_);
  }
  if (now >= next_sweep_) {
    next_sweep_ = now + sweep_pause(services_->options);
    make_room();
    forget_retired_pools();
    for (Shard& shard : shards_) {
      std::vector<std::shared_ptr<EnvironmentPool>> pools;
      {
        std::lock_guard lock(shard.mutex);
        for (const auto& [id, pool] : shard.pools) pools.push_back(pool);
      }
      for (const auto& pool : pools) next_sweep_ = std::min(next_sweep_, pool->sweep(now));
    }
  }
  return std::min(next, next_sweep_);
}

// The limit of an invocation has passed: its caller is answered first, then the environment is told to stop.
void Engine::expire(Invocation& invocation, std::uint64_t token, Nanos now) {
  if (!invocation.claim(token)) return;
  const std::shared_ptr<EnvironmentPool> pool = invocation.pool;
  const auto running = pool->withdraw(invocation, token, now);
  answer_timeout(*services_, invocation, running.get(), now);
  if (running) pool->interrupt_pinned(running, token);
}

void Engine::retire(EnvironmentPool& pool) {
  if (!pool.retire()) return;
  retired_pools_.fetch_add(1);
  services_->loop->wake_by(services_->clock->now());
}

// A version that is gone keeps its files until its last environment has ended, and no longer.
void Engine::forget_retired_pools() {
  if (retired_pools_.load() == 0) return;
  std::vector<std::shared_ptr<EnvironmentPool>> gone;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (auto it = shard.pools.begin(); it != shard.pools.end();) {
      // Only this map, which is locked, gives out further references: who has none now cannot come by one.
      if (it->second.use_count() == 1 && it->second->is_over()) {
        gone.push_back(std::move(it->second));
        it = shard.pools.erase(it);
      } else {
        ++it;
      }
    }
  }
  if (gone.empty()) return;
  retired_pools_.fetch_sub(static_cast<int>(gone.size()));
  // With them go files, which is not for this thread.
  services_->opener.post([gone = std::move(gone)]() mutable { gone.clear(); });
}

// Closes the longest idle environments beyond max_environments.
void Engine::make_room() {
  const int most = services_->options.max_environments > 0 ? services_->options.max_environments
                                                           : services_->options.quotas.account_concurrency;
  for (int excess = services_->environments.open() - most; excess > 0; --excess) {
    std::shared_ptr<EnvironmentPool> longest;
    Nanos since = kNever;
    for (const auto& pool : pools()) {
      const Nanos idle = pool->longest_idle();
      if (idle < since) {
        since = idle;
        longest = pool;
      }
    }
    if (longest == nullptr) return;
    longest->close_longest_idle();
  }
}

// ---- Closing.

void Engine::begin_close() {
  services_->closing.store(true, std::memory_order_seq_cst);
  const Nanos now = services_->clock->now();
  for (const auto& pool : pools()) pool->shut_down(now);
}

void Engine::finish_close() {
  constexpr std::chrono::milliseconds kStep{50};
  const SystemClock real;  // a simulated clock must not make close() wait for ever
  const Nanos end = real.now() + to_nanos(services_->options.close_grace);
  services_->opener.stop();
  while (!services_->environments.wait_until_closed(kStep) && real.now() < end) {
    for (const auto& pool : pools()) pool->press_on(false);
  }
  for (const auto& pool : pools()) pool->press_on(true);
  services_->loop->stop();
  give_back_memory();
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    shard.pools.clear();
  }
}

void Engine::close() {
  if (is_of_parent()) return;  // there is nobody here to wait for
  if (services_->loop->on_loop_thread()) {
    // A callback closes its own gateway: the rest is done by a thread that can wait.
    begin_close();
    std::thread([self = shared_from_this()] { self->close(); }).detach();
    return;
  }
  std::lock_guard lock(close_mutex_);
  if (closed_) return;
  begin_close();
  finish_close();
  closed_ = true;
  environments::HostRegistry::instance().remove_exit_hook(exit_hook_);
}

}  // namespace lambed::invocation
