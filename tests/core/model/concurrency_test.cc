#include "model/concurrency.h"

#include <boost/test/unit_test.hpp>
#include <climits>

using namespace lambed;
using namespace lambed::model;

namespace {

const Quotas kQuotas = Quotas::classic();  // 1000 in the account, 100 of them unreserved

std::string reserved_complaint(int wanted, const ConcurrencyUse& use) {
  const auto result = check_reserved(wanted, use, kQuotas);
  return result.ok() ? "" : result.error().message();
}

std::string provisioned_complaint(int wanted, const ConcurrencyUse& use) {
  const auto result = check_provisioned(wanted, use, kQuotas);
  return result.ok() ? "" : result.error().message();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(concurrency)

BOOST_AUTO_TEST_CASE(at_least_100_stay_unreserved) {
  const std::string too_much =
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
      "below its minimum "
      "value of [100].";
  for (const int wanted : {0, 1, 899, 900}) BOOST_TEST(reserved_complaint(wanted, {}) == "");
  for (const int wanted : {901, 1000, INT_MAX}) BOOST_TEST(reserved_complaint(wanted, {}) == too_much);
  ConcurrencyUse use;
  use.reserved_by_others = 600;
  use.provisioned_unreserved_by_others = 100;
  BOOST_TEST(reserved_complaint(200, use) == "");
  BOOST_TEST(reserved_complaint(201, use) == too_much);
  use.reserved_by_others = 900;
  BOOST_TEST(reserved_complaint(0, use) == "");
}

BOOST_AUTO_TEST_CASE(a_reservation_is_not_negative) {
  BOOST_TEST(reserved_complaint(-1, {}) ==
             "1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy "
             "constraint: Member must "
             "have value greater than or equal to 0");
}

BOOST_AUTO_TEST_CASE(a_reservation_covers_what_is_provisioned) {
  ConcurrencyUse use;
  use.provisioned = 5;
  BOOST_TEST(reserved_complaint(5, use) == "");
  BOOST_TEST(reserved_complaint(4, use) ==
             "ReservedConcurrentExecutions  4 should not be lower than function's total provisioned "
             "concurrency [5].");
}

BOOST_AUTO_TEST_CASE(provisioned_environments_fit_into_the_reservation) {
  ConcurrencyUse use;
  use.reserved = 10;
  use.provisioned = 4;
  BOOST_TEST(provisioned_complaint(6, use) == "");
  BOOST_TEST(provisioned_complaint(7, use) ==
             "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution "
             "for function");
}

BOOST_AUTO_TEST_CASE(provisioned_environments_fit_into_the_account) {
  ConcurrencyUse use;
  use.reserved_by_others = 500;
  BOOST_TEST(provisioned_complaint(400, use) == "");
  BOOST_TEST(provisioned_complaint(401, use) ==
             "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
             "below its minimum "
             "value of [100].");
  BOOST_TEST(
      provisioned_complaint(501, use) ==
      "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [500].");
  BOOST_TEST(
      provisioned_complaint(INT_MAX, use) ==
      "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [500].");
  BOOST_TEST(provisioned_complaint(0, {}).starts_with(
      "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions'"));
}

BOOST_AUTO_TEST_SUITE_END()
