#include "model/destinations.h"

#include <boost/test/unit_test.hpp>

using namespace lambed;
using namespace lambed::model;

BOOST_AUTO_TEST_SUITE(destinations)

BOOST_AUTO_TEST_CASE(a_target_is_taken_apart) {
  struct Case {
    const char* text;
    TargetKind kind;
    const char *region, *account, *resource;
  };
  for (const Case& c :
       {Case{"lambed:local", TargetKind::kLocal, "", "", ""},
        {"arn:aws:sqs:us-east-1:123456789012:q-1", TargetKind::kSqs, "us-east-1", "123456789012", "q-1"},
        {"arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", TargetKind::kSns, "us-gov-west-1", "123456789012",
         "t"},
        {"arn:aws-iso-b:sqs:us-isob-east-1:123456789012:q", TargetKind::kSqs, "us-isob-east-1",
         "123456789012", "q"},
        {"arn:aws-eusc:sqs:eusc-de-east-1:123456789012:q", TargetKind::kSqs, "eusc-de-east-1", "123456789012",
         "q"},
        {"arn:aws:lambda:us-east-1:123456789012:function:f:live", TargetKind::kFunction, "us-east-1",
         "123456789012", "f:live"},
        {"arn:aws:events:us-east-1:123456789012:event-bus/a/b", TargetKind::kEventBus, "us-east-1",
         "123456789012", "a/b"},
        {"arn:aws:s3:::my.bucket", TargetKind::kBucket, "", "", "my.bucket"}}) {
    const auto target = parse_target(c.text);
    BOOST_TEST_REQUIRE(target.has_value(), c.text);
    BOOST_TEST((target->kind == c.kind), c.text);
    BOOST_TEST(target->text == c.text);
    BOOST_TEST(target->region == c.region);
    BOOST_TEST(target->account == c.account);
    BOOST_TEST(target->resource == c.resource);
  }
}

BOOST_AUTO_TEST_CASE(what_nothing_can_be_sent_to_is_no_target) {
  for (const char* text :
       {"", "q", "lambed:remote", "arn:aws:sqs",
        "arn:aws:sqs:us-east-1:123456789012:", "arn:aws:sqs::123456789012:q", "arn:aws:sqs:us-east-1::q",
        "arn:aws:sqs:nowhere:123456789012:q", "arn:aws:sqs:us-east-1:12345678901:q",
        "arn:aws:sqs:us-east-1:123456789012:q:1", "arn:aws:lambda:us-east-1:123456789012:layer:l",
        "arn:aws:events:us-east-1:123456789012:rule/r", "arn:aws:events:us-east-1:123456789012:event-bus/",
        "arn:aws:s3:::b/key", "arn:aws:dynamodb:us-east-1:123456789012:table/t", "kafka://topic",
        "arn:gcp:sqs:us-east-1:123456789012:q"}) {
    BOOST_TEST(!parse_target(text).has_value(), text);
  }
}

BOOST_AUTO_TEST_CASE(dead_letters_go_to_standard_queues_and_topics_and_to_the_local_table) {
  for (const char* arn :
       {"", "lambed:local", "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:123456789012:t"})
    BOOST_TEST(check_dead_letter_target(arn).ok(), arn);
  for (const char* arn :
       {"arn:aws:sqs:us-east-1:123456789012:q.fifo", "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:s3:::b", "arn:aws:events:us-east-1:123456789012:event-bus/default"}) {
    BOOST_TEST(!check_dead_letter_target(arn).ok(), arn);
  }
}

BOOST_AUTO_TEST_CASE(the_patterns_of_the_api_are_lambdas_own) {
  const auto of_dead_letter = [](std::string_view arn) {
    Violations violations;
    check_dead_letter_pattern(arn, violations);
    return violations.empty();
  };
  for (const char* arn : {"", "arn::sqs:", "arn:aws-x:a.b-1:anything at all"})
    BOOST_TEST(of_dead_letter(arn), arn);
  for (const char* arn :
       {"arn", "arn:aws", "arn:aws:sqs", "arn:aws1:sqs:q", "arn:aws:SQS:q", "arn:aws:sqs:a\nb"})
    BOOST_TEST(!of_dead_letter(arn), arn);
  const auto of_destination = [](std::string destination) {
    EventInvokeRequest request;
    request.on_failure = std::move(destination);
    return check_event_invoke_members(request).ok();
  };
  for (const char* arn : {"", "kafka://t", "arn:aws:sqs:::", "arn:aws1:x:us-east-1:123456789012:"})
    BOOST_TEST(of_destination(arn), arn);
  for (const char* arn : {"kafka://", "kafka://.t", "arn:aws:sqs:us-east:123456789012:q",
                          "arn:aws:sqs:us-east-1:1:q", "arn:aws:s_s:us-east-1:123456789012:q"})
    BOOST_TEST(!of_destination(arn), arn);
}

BOOST_AUTO_TEST_SUITE_END()
