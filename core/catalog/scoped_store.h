// A part of a store: every key has a prefix that the user of the part does not see. Keeps accounts and regions apart in one
// store.
// Threads and answers: as the store below.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catalog/store.h"

namespace lambed::catalog {

class ScopedStore final : public Store {
 public:
  ScopedStore(std::shared_ptr<Store> store, std::string prefix)
      : store_(std::move(store)), prefix_(std::move(prefix)) {}

  void get(const std::string& key, GetDone done) override {
    store_->get(prefix_ + key,
                [done = std::move(done), this](StoreStatus status, std::optional<Entity> entity) {
                  if (entity) strip(entity->key);
                  done(status, std::move(entity));
                });
  }
  void put_if(const std::string& key, std::string bytes, std::optional<Rev> expected, PutDone done) override {
    store_->put_if(prefix_ + key, std::move(bytes), std::move(expected), std::move(done));
  }
  void remove_if(const std::string& key, const Rev& expected, RemoveDone done) override {
    store_->remove_if(prefix_ + key, expected, std::move(done));
  }
  void list(const std::string& prefix, ListDone done) override {
    store_->list(prefix_ + prefix,
                 [done = std::move(done), this](StoreStatus status, std::vector<Entity> entities) {
                   for (Entity& entity : entities) strip(entity.key);
                   done(status, std::move(entities));
                 });
  }
  std::uint64_t watch(const std::string& prefix, Watcher watcher) override {
    return store_->watch(prefix_ + prefix, [watcher = std::move(watcher), this](const Change& change) {
      Change stripped = change;
      strip(stripped.key);
      if (stripped.entity) strip(stripped.entity->key);
      watcher(stripped);
    });
  }
  void unwatch(std::uint64_t watch) override { store_->unwatch(watch); }
  std::string trouble() const override { return store_->trouble(); }

 private:
  void strip(std::string& key) const { key.erase(0, prefix_.size()); }

  const std::shared_ptr<Store> store_;
  const std::string prefix_;
};

}  // namespace lambed::catalog
