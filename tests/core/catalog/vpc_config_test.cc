// Into which network a function is put: kept with the function, by each version, and over restarts.
#include <boost/test/unit_test.hpp>

#include "catalog/catalog.h"
#include "catalog/code_packages.h"
#include "catalog/durable_store.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::catalog;

namespace {

struct NetworkBench {
  SystemClock clock;
  SystemRandom random;
};

CatalogOptions options_with_networks() {
  CatalogOptions options;
  options.networks =
      model::Networks::of(
          {{"vpc-1", {{"subnet-a", "10.0.1.0/24"}, {"subnet-b", "10.0.2.0/24"}}, {{"sg-a"}, {"sg-b"}}}})
          .value();
  return options;
}

CreateFunctionRequest function(Isolation isolation) {
  CreateFunctionRequest request;
  request.name = "f";
  request.runtime = "python3.11";
  request.handler = "app.handler";
  request.code = Code::inline_source("def handler(event, context): pass\n");
  request.isolation = isolation;
  request.vpc_config = VpcConfig{{"subnet-a", "subnet-b"}, {"sg-a"}, true};
  return request;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(catalog_vpc_config)

BOOST_AUTO_TEST_CASE(it_is_there_when_the_store_is_opened_again_and_versions_keep_theirs) {
  lambed::testing::CuttingDisk disk("vpc-config");
  NetworkBench bench;
  {
    const auto store = std::make_shared<DurableStore>(storage::open_database("db", disk.name()));
    Catalog catalog(options_with_networks(), bench.clock, bench.random, store, CodePackages::in_memory());
    catalog.create_function(function(Isolation::kProcess)).value();
    catalog.publish_version({.name = "f"}).value();
    catalog.update_function_configuration({.name = "f", .vpc_config = VpcConfig{{"subnet-b"}, {"sg-b"}}})
        .value();
    // Another configuration is another version.
    BOOST_TEST(catalog.publish_version({.name = "f"}).value().version == "2");
    catalog.update_function_configuration({.name = "f", .vpc_config = VpcConfig{}}).value();
  }
  const auto store = std::make_shared<DurableStore>(storage::open_database("db", disk.name()));
  Catalog catalog(options_with_networks(), bench.clock, bench.random, store, CodePackages::in_memory());
  const auto first = catalog.get_function_configuration("f", "1").value().vpc_config.value();
  BOOST_TEST((first.subnet_ids == std::vector<std::string>{"subnet-a", "subnet-b"}));
  BOOST_TEST((first.security_group_ids == std::vector<std::string>{"sg-a"}));
  BOOST_TEST(first.ipv6_allowed_for_dual_stack);
  BOOST_TEST(first.vpc_id == "vpc-1");
  const auto second = catalog.get_function_configuration("f", "2").value().vpc_config.value();
  BOOST_TEST((second.subnet_ids == std::vector<std::string>{"subnet-b"}));
  const auto latest = catalog.get_function_configuration("f").value().vpc_config.value();
  BOOST_TEST((latest.subnet_ids.empty() && latest.vpc_id.empty()));
}

BOOST_AUTO_TEST_CASE(a_function_inside_the_process_is_refused_one) {
  NetworkBench bench;
  Catalog catalog(options_with_networks(), bench.clock, bench.random);
  const auto refused = catalog.create_function(function(Isolation::kInProcess));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(std::string(refused.error().what()).find("isolation 'process'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
