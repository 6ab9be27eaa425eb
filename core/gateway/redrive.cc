// Sending the events of dead letters again.
#include <future>
#include <set>
#include <utility>

#include "gateway/core.h"

namespace lambed::gateway {
namespace {

constexpr std::size_t kPage = 1000;
// So many events are on their way into the queue at a time: they share commits.
constexpr std::size_t kTogether = 64;
constexpr std::size_t kMostNamed = 100;

// A letter that is to be redriven; not its payloads, of which a table may hold a lot.
struct Chosen {
  std::string id;
  std::string request_id;
};

Result<std::vector<Chosen>> choose(events::DeadLetterTable& table, const DeadLetterSelection& selection) {
  std::vector<Chosen> chosen;
  // What comes into the table meanwhile, perhaps of these very events, is another redrive's.
  DeadLetterQuery query{selection.function, {}, kPage};
  for (;;) {
    auto page = table.list(query);
    if (!page.ok()) return page.error();
    for (const DeadLetter& letter : *page) {
      if (letter.kind != DeadLetterKind::kOnSuccess) chosen.push_back({letter.id, letter.request_id});
    }
    if (page->size() < kPage) return chosen;
    query.after = page->back().id;
  }
}

}  // namespace

Result<Redrive> Core::redrive(const DeadLetterSelection& selection) {
  std::vector<Chosen> chosen;
  if (selection.ids.empty()) {
    auto all = choose(*dead_letters_, selection);
    if (!all.ok()) return all.error();
    chosen = std::move(*all);
  } else {
    for (const std::string& id : selection.ids) chosen.push_back({id, {}});
  }

  Redrive redrive;
  const auto fail = [&](const std::string& id, std::string problem) {
    ++redrive.failed;
    if (redrive.failures.size() < kMostNamed) redrive.failures.push_back({id, std::move(problem)});
  };
  std::set<std::string> sent;  // request ids
  for (std::size_t at = 0; at < chosen.size();) {
    std::vector<std::pair<std::string, std::future<InvokeResult>>> under_way;
    DeadLetterSelection done;
    for (; at < chosen.size() && under_way.size() < kTogether; ++at) {
      const std::string& id = chosen[at].id;
      auto letter = dead_letters_->get(id);
      if (!letter.ok()) {
        // Purged since it was chosen is no failure; named and not there is one.
        if (!selection.ids.empty() || letter.error().code() != ErrorCode::ResourceNotFoundException)
          fail(id, letter.error().message());
        continue;
      }
      if (letter->kind == DeadLetterKind::kOnSuccess) {
        fail(id, "This event was a success.");
        continue;
      }
      // Its dead letter and the record of its failure are one event.
      if (!sent.insert(letter->request_id).second) {
        done.ids.push_back(id);
        continue;
      }
      InvokeRequest request;
      request.function = letter->function_arn;
      request.type = InvocationType::kEvent;
      request.payload = std::move(letter->request_payload);
      under_way.emplace_back(id, engine_->invoke_future(std::move(request)));
    }
    for (auto& [id, future] : under_way) {
      try {
        future.get();
        done.ids.push_back(id);
        ++redrive.redriven;
      } catch (const Error& error) {
        fail(id, error.message());
      }
    }
    if (done.ids.empty()) continue;
    if (auto removed = dead_letters_->remove(done); !removed.ok()) return removed.error();
  }
  return redrive;
}

}  // namespace lambed::gateway
