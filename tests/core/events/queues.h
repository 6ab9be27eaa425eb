// Waiting for a queue's answers.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "events/queue.h"

namespace lambed::testing {

struct Put {
  events::Stored end;
  std::string id;
};

inline Put put(events::Queue& queue, const std::string& lane, const std::string& body,
               events::Millis now = 1000, const std::string& id = {}) {
  auto answer = std::make_shared<std::promise<Put>>();
  auto future = answer->get_future();
  queue.enqueue({lane, id, body, now}, [answer](events::Stored end, const std::string& its_id) {
    answer->set_value({end, its_id});
  });
  return future.get();
}

inline events::Fetched fetch(events::Queue& queue, const std::string& lane, std::size_t most = 100,
                             events::Millis now = 1000, std::size_t bytes = 1 << 20) {
  auto answer = std::make_shared<std::promise<events::Fetched>>();
  auto future = answer->get_future();
  queue.fetch(lane, most, bytes, now,
              [answer](events::Fetched fetched) { answer->set_value(std::move(fetched)); });
  return future.get();
}

inline bool settle(events::Queue& queue, std::vector<events::Settlement> settlements) {
  auto answer = std::make_shared<std::promise<bool>>();
  auto future = answer->get_future();
  queue.settle(std::move(settlements), [answer](bool done) { answer->set_value(done); });
  return future.get();
}

inline bool ack(events::Queue& queue, events::Token token) {
  return settle(queue, {{token, events::Settlement::Kind::kAck}});
}

inline std::optional<events::Found> find(events::Queue& queue, const std::string& id) {
  auto answer = std::make_shared<std::promise<std::optional<events::Found>>>();
  auto future = answer->get_future();
  queue.find(id, [answer](bool, std::optional<events::Found> found) { answer->set_value(std::move(found)); });
  return future.get();
}

inline std::vector<std::string> lanes(events::Queue& queue, const std::string& prefix) {
  auto answer = std::make_shared<std::promise<std::vector<std::string>>>();
  auto future = answer->get_future();
  queue.lanes(prefix,
              [answer](bool, std::vector<std::string> names) { answer->set_value(std::move(names)); });
  return future.get();
}

}  // namespace lambed::testing
