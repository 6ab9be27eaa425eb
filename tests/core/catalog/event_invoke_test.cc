// What the queue of events is told about a qualifier: retries, age, destinations, the dead-letter target.
#include <boost/test/unit_test.hpp>

#include "catalog/async_policy.h"
#include "catalog/catalog.h"
#include "catalog/code_packages.h"
#include "catalog/durable_store.h"
#include "catalog/record.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::catalog;

namespace {

constexpr char kQueue[] = "arn:aws:sqs:us-east-1:123456789012:q";

CreateFunctionRequest function(const std::string& dead_letters) {
  CreateFunctionRequest request;
  request.name = "f";
  request.runtime = "python3.11";
  request.handler = "app.handler";
  request.code = Code::inline_source("def handler(event, context): pass\n");
  request.dead_letter_target_arn = dead_letters;
  return request;
}

model::AsyncPolicy policy(Catalog& catalog, const std::string& qualifier) {
  const auto snapshot = catalog.directory().find("f");
  BOOST_TEST_REQUIRE(snapshot != nullptr);
  const auto version = catalog.directory().resolve("f", qualifier, 0.0);
  return async_policy_of(*snapshot, qualifier, *version.value());
}

struct Bench {
  SystemClock clock;
  SystemRandom random;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(catalog_event_invoke)

BOOST_AUTO_TEST_CASE(nothing_configured_is_lambdas_defaults) {
  Bench bench;
  Catalog catalog({}, bench.clock, bench.random);
  catalog.create_function(function("")).value();
  const auto usual = policy(catalog, "");
  BOOST_TEST(usual.max_retries == 2);
  BOOST_TEST(usual.max_age_s == 21600);
  BOOST_TEST((usual.on_success + usual.on_failure + usual.dead_letter).empty());
}

BOOST_AUTO_TEST_CASE(a_qualifier_has_its_own_configuration_and_no_other) {
  Bench bench;
  Catalog catalog({}, bench.clock, bench.random);
  catalog.create_function(function("")).value();
  catalog.publish_version({.name = "f"}).value();
  catalog.create_alias({.function = "f", .alias = "live", .version = "1"}).value();
  catalog.put_event_invoke({.function = "f", .maximum_retry_attempts = 0}).value();
  catalog
      .put_event_invoke(
          {.function = "f", .qualifier = "live", .maximum_event_age_s = 60, .on_failure = kQueue})
      .value();
  BOOST_TEST(policy(catalog, "").max_retries == 0);
  BOOST_TEST(policy(catalog, "$LATEST").max_retries == 0);
  BOOST_TEST(policy(catalog, "1").max_retries == 2);
  BOOST_TEST(policy(catalog, "1").on_failure == "");
  BOOST_TEST(policy(catalog, "live").max_retries == 2);
  BOOST_TEST(policy(catalog, "live").max_age_s == 60);
  BOOST_TEST(policy(catalog, "live").on_failure == kQueue);
}

BOOST_AUTO_TEST_CASE(a_published_version_keeps_its_dead_letter_target) {
  Bench bench;
  Catalog catalog({}, bench.clock, bench.random);
  catalog.create_function(function(kQueue)).value();
  catalog.publish_version({.name = "f"}).value();
  catalog.update_function_configuration({.name = "f", .dead_letter_target_arn = "lambed:local"}).value();
  BOOST_TEST(policy(catalog, "1").dead_letter == kQueue);
  BOOST_TEST(policy(catalog, "").dead_letter == "lambed:local");
}

BOOST_AUTO_TEST_CASE(it_is_there_when_the_store_is_opened_again) {
  lambed::testing::CuttingDisk disk("event-invoke");
  Bench bench;
  EventInvokeConfiguration before;
  {
    const auto store = std::make_shared<DurableStore>(storage::open_database("db", disk.name()));
    Catalog catalog({}, bench.clock, bench.random, store, CodePackages::in_memory());
    catalog.create_function(function(kQueue)).value();
    before = catalog
                 .put_event_invoke({.function = "f",
                                    .maximum_retry_attempts = 1,
                                    .maximum_event_age_s = 90,
                                    .on_success = "lambed:local",
                                    .on_failure = kQueue})
                 .value();
  }
  const auto store = std::make_shared<DurableStore>(storage::open_database("db", disk.name()));
  Catalog catalog({}, bench.clock, bench.random, store, CodePackages::in_memory());
  const auto now = catalog.get_event_invoke("f", "").value();
  BOOST_TEST(now.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST");
  BOOST_TEST(now.maximum_retry_attempts.value() == 1);
  BOOST_TEST(now.maximum_event_age_s.value() == 90);
  BOOST_TEST(now.on_success == "lambed:local");
  BOOST_TEST(now.on_failure == kQueue);
  BOOST_TEST(now.last_modified_ms == before.last_modified_ms);
  BOOST_TEST(policy(catalog, "").dead_letter == kQueue);
}

// What lambed 0.1 has written before there were event-invoke configurations.
BOOST_AUTO_TEST_CASE(a_record_of_the_time_before_is_read) {
  FunctionRecord record;
  record.id = "i";
  record.latest.configuration.function_name = "f";
  const std::string bytes = to_bytes(record);
  BOOST_TEST(bytes.find("event_invoke") == std::string::npos);
  BOOST_TEST(function_from_bytes(bytes).value().event_invoke.empty());
}

BOOST_AUTO_TEST_SUITE_END()
