#include "model/reference.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <vector>

using namespace lambed;
using namespace lambed::model;

namespace {

const Scope kScope{"us-east-1", "123456789012"};

FunctionReference parse(std::string_view text, std::string_view qualifier = "",
                        NameUse use = NameUse::kRead) {
  return parse_function_reference(text, qualifier, kScope, use).value();
}

Error refuse(std::string_view text, std::string_view qualifier = "", NameUse use = NameUse::kRead) {
  const auto result = parse_function_reference(text, qualifier, kScope, use);
  BOOST_REQUIRE(!result.ok());
  return result.error();
}

std::string arn_with_name_of(std::size_t total) {
  const std::string start = "arn:aws:lambda:us-east-1:123456789012:function:";
  return start + std::string(total - start.size(), 'f');
}

const std::vector<std::string> kForms = {"hello", "123456789012:function:hello",
                                         "arn:aws:lambda:us-east-1:123456789012:function:hello"};

const std::vector<std::string> kMalformed = {"",
                                             ":",
                                             "a:",
                                             ":a",
                                             "a b",
                                             "a/b",
                                             "a$",
                                             "a:b:c",
                                             "hello:$latest",
                                             "hello:$LATEST2",
                                             "hello:a.b",
                                             "f\n",
                                             "\xc3\xa9",
                                             "function:hello:live",
                                             "12345678901:function:hello",
                                             "1234567890123:function:hello",
                                             "12345678901x:function:hello",
                                             "123456789012:functions:hello",
                                             "123456789012:hello:x",
                                             "123456789012:function:",
                                             "123456789012:function:hello:",
                                             "123456789012:function:hello:live:x",
                                             "arn:aws:lambda:us-east-1:123456789012:function",
                                             "arn:aws:lambda:us-east-1:123456789012:function:",
                                             "arn:aws:lambda:us-east-1:123456789012:function:hello:live:x",
                                             "arn:aws:lambda:us-east-1:123456789012:function:hello:",
                                             "arn:aws:lambda:us-east-1:12345678901:function:hello",
                                             "arn:aws:s3:us-east-1:123456789012:function:hello",
                                             "arn:AWS:lambda:us-east-1:123456789012:function:hello",
                                             "arn:aws1:lambda:us-east-1:123456789012:function:hello",
                                             "arn::lambda:us-east-1:123456789012:function:hello",
                                             "arn:aws:lambda::123456789012:function:hello",
                                             "arn:aws:lambda:useast1:123456789012:function:hello",
                                             "arn:aws:lambda:us-east-:123456789012:function:hello",
                                             "arn:aws:lambda:us-east-10:123456789012:function:hello",
                                             "arn:aws:lambda:us--1:123456789012:function:hello",
                                             "arn:aws:lambda:us-xov-east-1:123456789012:function:hello",
                                             "arn:aws:lambda:us-east-1:123456789012:layer:hello",
                                             "arn:aws:lambda:us-east-1:123456789012:function:he.llo:a:b:c",
                                             std::string("a\0b", 3)};

}  // namespace

BOOST_AUTO_TEST_SUITE(reference)

BOOST_DATA_TEST_CASE(every_form_of_a_name_means_the_same_function, boost::unit_test::data::make(kForms),
                     text) {
  const FunctionReference plain = parse(text);
  BOOST_TEST(plain.name == "hello");
  BOOST_TEST(plain.qualifier == "");
  BOOST_TEST(plain.arn() == "arn:aws:lambda:us-east-1:123456789012:function:hello");
  BOOST_TEST(plain.qualified_arn() == plain.arn());
  for (const char* qualifier : {"$LATEST", "1", "42", "live", "a-b_C9"}) {
    BOOST_TEST(parse(text + ":" + qualifier).qualifier == qualifier);
    BOOST_TEST(parse(text, qualifier).qualifier == qualifier);
    BOOST_TEST(parse(text + ":" + qualifier, qualifier).qualifier == qualifier);
    BOOST_TEST(parse(text, qualifier).qualified_arn() == plain.arn() + ":" + qualifier);
    BOOST_TEST(parse(text + ":" + qualifier, "", NameUse::kDelete).qualifier == qualifier);
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_looks_like_a_part_of_an_arn_is_still_a_name) {
  BOOST_TEST(parse("function").name == "function");
  BOOST_TEST(parse("function:live").qualifier == "live");
  BOOST_TEST(parse("my-func-1:live").name == "my-func-1");
  BOOST_TEST(parse("us-east-1:live").name == "us-east-1");
  BOOST_TEST(parse("123456789012").name == "123456789012");
  BOOST_TEST(parse("123456789012:1").qualifier == "1");
  BOOST_TEST(parse("arn").name == "arn");
  BOOST_TEST(parse("arn:live").qualifier == "live");
}

BOOST_DATA_TEST_CASE(what_is_no_form_of_a_name_is_a_validation_error,
                     boost::unit_test::data::make(kMalformed), text) {
  for (const NameUse use : {NameUse::kRead, NameUse::kDelete, NameUse::kCreate}) {
    const Error error = refuse(text, "", use);
    BOOST_TEST((error.code() == ErrorCode::ValidationException));
    const std::string shown = text.find('\0') == std::string::npos ? text
                                                                   : "a\xEF\xBF\xBD"
                                                                     "b";
    BOOST_TEST(error.message().find("Value '" + shown +
                                    "' at 'functionName' failed to satisfy constraint: Member must satisfy "
                                    "regular expression pattern: (arn:") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(other_partitions_and_regions_are_well_formed) {
  for (const char* region :
       {"us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "ap-southeast-4", "cn-north-1"}) {
    const auto result =
        parse_function_reference(std::string("arn:aws-cn:lambda:") + region + ":123456789012:function:f", "",
                                 {region, "123456789012"});
    BOOST_TEST(result.ok(), region);
  }
}

BOOST_AUTO_TEST_CASE(dots_are_for_reading_only) {
  BOOST_TEST(parse("a.b").name == "a.b");
  BOOST_TEST(parse("a:$LATEST.PUBLISHED").qualifier == "$LATEST.PUBLISHED");
  for (const NameUse use : {NameUse::kDelete, NameUse::kCreate}) {
    BOOST_TEST((refuse("a.b", "", use).code() == ErrorCode::ValidationException));
    BOOST_TEST((refuse("a:$LATEST.PUBLISHED", "", use).code() == ErrorCode::ValidationException));
  }
}

BOOST_AUTO_TEST_CASE(names_are_limited_by_use) {
  BOOST_TEST(parse(std::string(64, 'f'), "", NameUse::kCreate).name.size() == 64u);
  const Error long_name = refuse(std::string(65, 'f'), "", NameUse::kCreate);
  BOOST_TEST((long_name.code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(long_name.message() ==
             "1 validation error detected: Value '" + std::string(65, 'f') +
                 "' at 'functionName' failed to satisfy constraint: Member must have length less than "
                 "or equal to 64");

  BOOST_TEST(parse(arn_with_name_of(111), "", NameUse::kCreate).name.size() == 64u);
  BOOST_TEST((refuse(arn_with_name_of(112), "", NameUse::kCreate).code() ==
              ErrorCode::InvalidParameterValueException));
  BOOST_TEST(parse(arn_with_name_of(140), "", NameUse::kDelete).name.size() == 93u);
  const Error long_arn = refuse(arn_with_name_of(141), "", NameUse::kDelete);
  BOOST_TEST((long_arn.code() == ErrorCode::ValidationException));
  BOOST_TEST(long_arn.message().ends_with("Member must have length less than or equal to 140"));
  BOOST_TEST((refuse(arn_with_name_of(141), "", NameUse::kCreate).code() == ErrorCode::ValidationException));

  BOOST_TEST(parse(arn_with_name_of(170)).name.size() == 123u);
  BOOST_TEST(
      refuse(arn_with_name_of(171)).message().ends_with("Member must have length less than or equal to 170"));
}

BOOST_AUTO_TEST_CASE(the_separate_qualifier_has_rules_of_its_own) {
  BOOST_TEST(parse("f", std::string(128, 'q')).qualifier.size() == 128u);
  BOOST_TEST(
      refuse("f", std::string(129, 'q')).message() ==
      "1 validation error detected: Value '" + std::string(129, 'q') +
          "' at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128");
  BOOST_TEST(refuse("f", "a.b").message() ==
             "1 validation error detected: Value 'a.b' at 'qualifier' failed to satisfy constraint: Member "
             "must satisfy regular "
             "expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+");
  BOOST_TEST(parse("f", "$LATEST.PUBLISHED").qualifier == "$LATEST.PUBLISHED");
  BOOST_TEST(refuse("f!", "a b")
                 .message()
                 .starts_with("2 validation errors detected: Value 'f!' at 'functionName'"));
}

BOOST_AUTO_TEST_CASE(a_qualifier_said_twice_must_be_the_same) {
  const Error error = refuse("f:1", "2");
  BOOST_TEST((error.code() == ErrorCode::InvalidParameterValueException));
  BOOST_TEST(error.message() ==
             "The derived qualifier from the function name does not match the specified qualifier.");
}

BOOST_AUTO_TEST_CASE(an_arn_of_another_region_is_not_reachable) {
  const Error error = refuse("arn:aws:lambda:eu-west-1:123456789012:function:f");
  BOOST_TEST((error.code() == ErrorCode::ResourceNotFoundException));
  BOOST_TEST(error.message() == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
}

BOOST_AUTO_TEST_CASE(an_arn_of_another_account_is_denied) {
  for (const char* text : {"arn:aws:lambda:us-east-1:999999999999:function:f", "999999999999:function:f"}) {
    const Error error = refuse(text);
    BOOST_TEST((error.code() == ErrorCode::AccessDeniedException));
    BOOST_TEST(error.message().find("arn:aws:lambda:us-east-1:999999999999:function:f") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(version_numbers_are_digits) {
  for (const char* text : {"1", "0", "123456789"}) BOOST_TEST(is_version_number(text));
  for (const char* text : {"", "1a", "-1", "$LATEST", "live", "1 "}) BOOST_TEST(!is_version_number(text));
}

BOOST_AUTO_TEST_SUITE_END()
