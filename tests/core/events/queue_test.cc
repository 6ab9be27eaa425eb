// What every queue does, in memory and on disk alike.
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <regex>
#include <set>

#include "core/events/queues.h"
#include "events/durable_queue.h"
#include "events/item_ids.h"
#include "events/memory_queue.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::events;
using namespace lambed::testing;

namespace {

struct InMemory {
  MemoryQueue queue{{1000, 1 << 20}, std::make_shared<SystemRandom>()};
};
struct OnDisk {
  CuttingDisk disk{"queue"};
  DurableQueue queue{storage::open_database("db", disk.name()), std::make_shared<SystemRandom>()};
};
using Kinds = boost::mpl::list<InMemory, OnDisk>;

std::vector<std::string> bodies(const Fetched& fetched) {
  std::vector<std::string> all;
  for (const Item& item : fetched.items) all.push_back(item.body);
  return all;
}
using Texts = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(events_queue)

BOOST_AUTO_TEST_CASE_TEMPLATE(items_come_in_order_and_only_once, Kind, Kinds) {
  Kind kind;
  for (const char* body : {"1", "2", "3", "4", "5"}) {
    BOOST_TEST((put(kind.queue, "a", body).end == Stored::kStored));
    put(kind.queue, "b", "other");
  }
  const Fetched first = fetch(kind.queue, "a", 2);
  BOOST_TEST(bodies(first) == (Texts{"1", "2"}));
  BOOST_TEST(first.has_more);
  BOOST_TEST(bodies(fetch(kind.queue, "a")) == (Texts{"3", "4", "5"}));
  const Fetched none = fetch(kind.queue, "a");
  BOOST_TEST(none.items.empty());
  BOOST_TEST(!none.has_more);
  BOOST_TEST(fetch(kind.queue, "nobody's").items.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_clock_that_goes_back_does_not_change_the_order, Kind, Kinds) {
  Kind kind;
  put(kind.queue, "a", "1", 900);
  put(kind.queue, "a", "2", 500);
  BOOST_TEST(bodies(fetch(kind.queue, "a")) == (Texts{"1", "2"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_batch_ends_where_its_bytes_do, Kind, Kinds) {
  Kind kind;
  for (int i = 0; i < 5; ++i) put(kind.queue, "a", std::string(1000, 'x'));
  const Fetched fetched = fetch(kind.queue, "a", 100, 1000, 1500);
  BOOST_TEST(fetched.items.size() == 2u);
  BOOST_TEST(fetched.has_more);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_acknowledged_is_gone, Kind, Kinds) {
  Kind kind;
  const std::string id = put(kind.queue, "a", "1").id;
  put(kind.queue, "a", "2");
  BOOST_TEST(kind.queue.depth() == 2u);
  const Fetched fetched = fetch(kind.queue, "a");
  BOOST_TEST(ack(kind.queue, fetched.items[0].token));
  BOOST_TEST(ack(kind.queue, fetched.items[0].token));  // twice is once
  BOOST_TEST(kind.queue.depth() == 1u);
  BOOST_TEST(!find(kind.queue, id));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_put_off_comes_when_it_is_due, Kind, Kinds) {
  Kind kind;
  const std::string id = put(kind.queue, "a", "1").id;
  const Item item = fetch(kind.queue, "a").items.at(0);
  BOOST_TEST(settle(kind.queue, {{item.token, Settlement::Kind::kNak, 5000, 1}}));
  const Fetched early = fetch(kind.queue, "a", 100, 4999);
  BOOST_TEST(early.items.empty());
  BOOST_TEST(early.next_due == 5000);
  BOOST_TEST(find(kind.queue, id)->attempts == 1);
  BOOST_TEST(find(kind.queue, id)->due == 5000);
  put(kind.queue, "a", "2", 4000);
  put(kind.queue, "a", "3", 6000);
  const Fetched due = fetch(kind.queue, "a", 100, 6000);
  BOOST_TEST(bodies(due) == (Texts{"2", "1", "3"}));
  BOOST_TEST(due.items[1].attempts == 1);
  BOOST_TEST(due.items[1].accepted == 1000);
  BOOST_TEST(due.items[1].id == id);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_item_is_found_by_its_id, Kind, Kinds) {
  Kind kind;
  const std::string id = put(kind.queue, "a", "1", 7000).id;
  BOOST_TEST(std::regex_match(
      id, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  put(kind.queue, "b", "2", 8000, "a-name");
  BOOST_TEST(find(kind.queue, id)->lane == "a");
  BOOST_TEST(find(kind.queue, id)->accepted == 7000);
  BOOST_TEST(find(kind.queue, "a-name")->lane == "b");
  BOOST_TEST(!find(kind.queue, "b-name"));
  std::string near = id;  // the same number, another id
  near.back() = near.back() == '0' ? '1' : '0';
  BOOST_TEST(!find(kind.queue, near));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_id_is_taken_once, Kind, Kinds) {
  Kind kind;
  BOOST_TEST((put(kind.queue, "a", "1", 1000, "name").end == Stored::kStored));
  BOOST_TEST((put(kind.queue, "b", "2", 1000, "name").end == Stored::kDuplicate));
  BOOST_TEST(kind.queue.depth() == 1u);
  ack(kind.queue, fetch(kind.queue, "a").items.at(0).token);
  BOOST_TEST((put(kind.queue, "b", "2", 1000, "name").end == Stored::kStored));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_follows_is_there_when_the_item_is_gone, Kind, Kinds) {
  Kind kind;
  put(kind.queue, "a", "1");
  const Token token = fetch(kind.queue, "a").items.at(0).token;
  const Settlement over{token, Settlement::Kind::kAck, 0, 0, {{"target", "id/dl", "letter", 2000}}};
  BOOST_TEST(settle(kind.queue, {over}));
  BOOST_TEST(kind.queue.depth() == 1u);
  const Item letter = fetch(kind.queue, "target", 1, 2000).items.at(0);
  BOOST_TEST(letter.id == "id/dl");
  BOOST_TEST(letter.body == "letter");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(lanes_are_those_with_items, Kind, Kinds) {
  Kind kind;
  put(kind.queue, "x/1", "1");
  put(kind.queue, "x/2", "1");
  put(kind.queue, "y/1", "1");
  BOOST_TEST(lanes(kind.queue, "x/") == (Texts{"x/1", "x/2"}));
  ack(kind.queue, fetch(kind.queue, "x/1").items.at(0).token);
  BOOST_TEST(lanes(kind.queue, "x/") == (Texts{"x/2"}));
}

BOOST_AUTO_TEST_CASE(a_queue_in_memory_is_bounded) {
  MemoryQueue queue({2, 100}, std::make_shared<SystemRandom>());
  BOOST_TEST((put(queue, "a", std::string(80, 'x')).end == Stored::kStored));
  BOOST_TEST((put(queue, "a", std::string(80, 'x')).end == Stored::kFull));
  BOOST_TEST((put(queue, "a", "x").end == Stored::kStored));
  BOOST_TEST((put(queue, "a", "x").end == Stored::kFull));
  // A follow-up stands for what is gone and is taken in any case.
  const Token token = fetch(queue, "a", 1).items.at(0).token;
  settle(queue, {{token, Settlement::Kind::kAck, 0, 0, {{"t", "1", "", 0}, {"t", "2", "", 0}}}});
  BOOST_TEST(queue.depth() == 3u);
}

BOOST_AUTO_TEST_CASE(ids_hide_their_numbers_and_give_them_back) {
  SystemRandom random;
  std::set<std::string> seen;
  for (const std::int64_t number :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{1'000'000}, (std::int64_t{1} << 48) - 1}) {
    const std::string text = shown_item_id(make_item_id(number, random));
    BOOST_TEST(parse_item_id(text)->number == number);
    BOOST_TEST(shown_item_id(parse_item_id(text)->bytes) == text);
    BOOST_TEST(seen.insert(text.substr(0, 3)).second);
  }
  for (const char* text : {"", "x", "0123456789abcdef0123456789abcdef0123",
                           "0123456g-89ab-4def-8123-456789abcdef", "01234567-89ab-4def-8123-456789abcde"}) {
    BOOST_TEST(!parse_item_id(text), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
