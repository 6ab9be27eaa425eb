#include "events/dead_letter_table.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

#include "core/events/deliveries.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::events;
using lambed::testing::answer_of;
using lambed::testing::CuttingDisk;
using lambed::testing::dead_letter;
using lambed::testing::failed_delivery;

namespace {

DeliveryResult add(DeadLetterTable& table, const std::string& id, const std::string& function = "f",
                   std::string payload = "{}") {
  Delivery delivery = dead_letter("lambed:local");
  delivery.function_arn = "arn:aws:lambda:us-east-1:123456789012:function:" + function + ":$LATEST";
  delivery.request_payload = std::move(payload);
  return answer_of([&](auto done) {
    table.add(id, dead_letter_of(std::move(delivery), std::chrono::system_clock::time_point()), done);
  });
}

std::vector<std::string> listed(DeadLetterTable& table, const DeadLetterQuery& query = {}) {
  std::vector<std::string> found;
  const auto letters = table.list(query).value();
  for (const DeadLetter& letter : letters) found.push_back(letter.function_name);
  return found;
}

// The same is asked of both kinds of table.
void behaves_as_a_table(DeadLetterTable& table) {
  using Names = std::vector<std::string>;
  BOOST_TEST(listed(table).empty());
  for (const char* name : {"a", "b", "a", "c"})
    BOOST_TEST((add(table, std::string(name) + std::to_string(table.size()), name).kind ==
                DeliveryResult::Kind::kDelivered));
  BOOST_TEST(table.size() == 4U);
  BOOST_TEST(listed(table) == (Names{"a", "b", "a", "c"}), boost::test_tools::per_element());
  BOOST_TEST(listed(table, {.function = "a"}) == (Names{"a", "a"}), boost::test_tools::per_element());
  BOOST_TEST(listed(table, {.function = "A"}).empty());

  // By pages, each going on after the last id of the one before.
  const auto first = table.list({.limit = 3}).value();
  BOOST_TEST(first.size() == 3U);
  BOOST_TEST(listed(table, {.after = first.back().id}) == Names{"c"}, boost::test_tools::per_element());

  // What comes a second time, because its answer was lost, is there once.
  BOOST_TEST((add(table, "a0", "a").kind == DeliveryResult::Kind::kDelivered));
  BOOST_TEST(table.size() == 4U);

  for (const char* id : {"", "x", "9", "99999999999999999999", "-1", "00000000000000000099"}) {
    const auto missing = table.get(id);
    BOOST_TEST_REQUIRE(!missing.ok());
    BOOST_TEST((missing.error().code() == ErrorCode::ResourceNotFoundException));
    BOOST_TEST(table.remove({.ids = {id}}).value() == 0U);
  }
  BOOST_TEST(table.remove({.ids = {first[1].id, first[1].id}}).value() == 1U);
  BOOST_TEST(table.remove({.function = "a"}).value() == 2U);
  BOOST_TEST(listed(table) == Names{"c"}, boost::test_tools::per_element());
  BOOST_TEST(table.remove({}).value() == 1U);
  BOOST_TEST(table.size() == 0U);
  BOOST_TEST((add(table, "a0", "a").kind == DeliveryResult::Kind::kDelivered));
  BOOST_TEST(table.list({}).value()[0].id > first.back().id);  // no id is given twice
}

// Everything a delivery says is there again.
void keeps_what_it_is_told(DeadLetterTable& table) {
  Delivery delivery = failed_delivery("lambed:local");
  delivery.response_payload = std::string("\x00\xff", 2);
  delivery.response_is_binary = true;
  const auto now = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'790'000'200'000));
  const Delivery sent = delivery;
  answer_of([&](auto done) { table.add("i", dead_letter_of(std::move(delivery), now), done); });
  const DeadLetter summary = table.list({}).value().at(0);
  BOOST_TEST(summary.request_payload.empty());
  BOOST_TEST(summary.request_size == sent.request_payload.size());
  const DeadLetter letter = table.get(summary.id).value();
  BOOST_TEST(letter.id == summary.id);
  BOOST_TEST((letter.kind == DeadLetterKind::kOnFailure));
  BOOST_TEST(letter.function_name == "f");
  BOOST_TEST(letter.function_arn == sent.function_arn);
  BOOST_TEST(letter.request_id == sent.request_id);
  BOOST_TEST(letter.condition == "RetriesExhausted");
  BOOST_TEST(letter.approximate_invoke_count == 3);
  BOOST_TEST(letter.has_response);
  BOOST_TEST(letter.status_code == 200);
  BOOST_TEST(letter.function_error == "Unhandled");
  BOOST_TEST(letter.executed_version == "$LATEST");
  BOOST_TEST(letter.accepted_ms == 1'790'000'000'000);
  BOOST_TEST(letter.ended_ms == 1'790'000'180'042);
  BOOST_TEST(letter.stored_ms == 1'790'000'200'000);
  BOOST_TEST(letter.request_payload == sent.request_payload);
  BOOST_TEST(letter.response_payload == sent.response_payload);
  BOOST_TEST(letter.response_is_binary);
}

std::shared_ptr<DeadLetterDatabase> database_on(CuttingDisk& disk) {
  return std::make_shared<DeadLetterDatabase>(storage::open_database("db", disk.name()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dead_letters)

BOOST_AUTO_TEST_CASE(a_table_in_memory_is_listed_read_and_purged) {
  MemoryDeadLetters table;
  behaves_as_a_table(table);
}

BOOST_AUTO_TEST_CASE(a_table_on_disk_is_listed_read_and_purged) {
  CuttingDisk disk("letters");
  const auto table = DeadLetterDatabase::table(database_on(disk), "1/r");
  behaves_as_a_table(*table);
}

BOOST_AUTO_TEST_CASE(nothing_of_a_delivery_is_lost_in_memory) {
  MemoryDeadLetters table;
  keeps_what_it_is_told(table);
}

BOOST_AUTO_TEST_CASE(nothing_of_a_delivery_is_lost_on_disk) {
  CuttingDisk disk("letters-whole");
  const auto table = DeadLetterDatabase::table(database_on(disk), "1/r");
  keeps_what_it_is_told(*table);
}

BOOST_AUTO_TEST_CASE(a_full_table_in_memory_takes_no_more_until_there_is_room) {
  MemoryDeadLetters by_count(2, 1 << 20);
  add(by_count, "1");
  add(by_count, "2");
  const DeliveryResult refused = add(by_count, "3");
  BOOST_TEST((refused.kind == DeliveryResult::Kind::kRetryLater));
  BOOST_TEST(refused.words.starts_with("the table of dead letters is full (2 letters"));
  BOOST_TEST((add(by_count, "2").kind == DeliveryResult::Kind::kDelivered));  // it is there
  by_count.remove({.ids = {by_count.list({}).value()[0].id}}).value();
  BOOST_TEST((add(by_count, "3").kind == DeliveryResult::Kind::kDelivered));

  MemoryDeadLetters by_size(100, 1000);
  BOOST_TEST((add(by_size, "1", "f", std::string(800, '1')).kind == DeliveryResult::Kind::kDelivered));
  BOOST_TEST((add(by_size, "2", "f", std::string(800, '1')).kind == DeliveryResult::Kind::kRetryLater));
  by_size.remove({}).value();
  BOOST_TEST((add(by_size, "2", "f", std::string(800, '1')).kind == DeliveryResult::Kind::kDelivered));
}

BOOST_AUTO_TEST_CASE(accounts_and_regions_do_not_see_each_other) {
  CuttingDisk disk("letters-scopes");
  const auto database = database_on(disk);
  const auto one = DeadLetterDatabase::table(database, "1/r");
  const auto other = DeadLetterDatabase::table(database, "1/s");
  add(*one, "same");
  add(*other, "same");
  BOOST_TEST(one->size() == 1U);
  const std::string id = one->list({}).value()[0].id;
  BOOST_TEST(!other->get(id).ok());
  BOOST_TEST(other->remove({.ids = {id}}).value() == 0U);
  BOOST_TEST(other->remove({}).value() == 1U);
  BOOST_TEST(one->get(id).ok());
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_in_words_and_loses_nothing) {
  CuttingDisk disk("letters-full");
  const auto table = DeadLetterDatabase::table(database_on(disk), "1/r");
  add(*table, "kept");
  disk.fill_after(0);
  const DeliveryResult refused = add(*table, "no room", "f", "\"" + std::string(100'000, 'x') + "\"");
  BOOST_TEST((refused.kind == DeliveryResult::Kind::kRetryLater));
  BOOST_TEST(refused.words.find("full") != std::string::npos, refused.words);
  disk.fill_after(UINT64_MAX);
  BOOST_TEST((add(*table, "no room").kind == DeliveryResult::Kind::kDelivered));
  BOOST_TEST(table->size() == 2U);
}

BOOST_AUTO_TEST_CASE(no_power_cut_loses_a_letter_that_was_taken) {
  std::mt19937_64 random(20261124);
  CuttingDisk disk("letters-cut");
  std::set<std::string> taken;
  int lost = 0, cut_with_work = 0, next = 0;
  for (int round = 0; round < 150; ++round) {
    disk.cut_after(1 + random() % 300);
    try {
      const auto table = DeadLetterDatabase::table(database_on(disk), "1/r");
      for (int i = 0; i < 60 && !disk.is_cut(); ++i) {
        const std::string id = "d" + std::to_string(next++);
        if (add(*table, id, id, std::string(random() % 5000, '1')).kind == DeliveryResult::Kind::kDelivered)
          taken.insert(id);
      }
      if (disk.is_cut()) ++cut_with_work;
    } catch (const storage::Failure&) {
      // cut while it was opened
    }
    disk.restore(random);
    const auto after = DeadLetterDatabase::table(database_on(disk), "1/r");
    std::set<std::string> found;
    const auto letters = after->list({.limit = 100'000}).value();
    for (const DeadLetter& letter : letters) found.insert(letter.function_name);
    for (const std::string& id : taken) lost += found.count(id) == 0 ? 1 : 0;
    after->remove({}).value();
    taken.clear();
  }
  BOOST_TEST(lost == 0);
  BOOST_TEST(cut_with_work > 75);
}

BOOST_AUTO_TEST_SUITE_END()
