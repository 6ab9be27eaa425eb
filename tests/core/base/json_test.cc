#include "base/json.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

using namespace lambed;

namespace {

std::string source(int line, int column) {
  return " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: " +
         std::to_string(line) + ", column: " + std::to_string(column) + "]";
}
const std::string kValues = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

void check_fault(std::string_view text, const std::string& message, int line, int column) {
  BOOST_TEST_CONTEXT("text: " << text) {
    const auto fault = json_fault(text);
    BOOST_REQUIRE(fault.has_value());
    BOOST_TEST(*fault == message + "\n" + source(line, column));
  }
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

const std::vector<std::string> kValid = {"{}",
                                         "[]",
                                         "null",
                                         "true",
                                         "false",
                                         "0",
                                         "-0",
                                         "1",
                                         "-12.5e-3",
                                         "1E+2",
                                         "\"\"",
                                         "\"a\"",
                                         " \t\r\n{ } \n",
                                         R"({"a":1,"b":[1,2,{"c":null}],"":"x"})",
                                         R"("\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00")",
                                         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                         "\"\x7f\"",
                                         "[[],{},[[]]]",
                                         R"({"a":1,"a":2})",
                                         "[1 , 2\n,3]"};

// Valid JSON which the fast parser alone would refuse.
const std::vector<std::string> kValidBeyondTheFastParser = {"123456789012345678901234567890",
                                                            "[-123456789012345678901234567890]",
                                                            "1e400",
                                                            "[1e-400,-1e999]",
                                                            R"("\ud800")",
                                                            R"("\udc00x")",
                                                            R"(["\ud800\u0041"])"};

const std::vector<std::string> kInvalid = {"",
                                           " ",
                                           "{",
                                           "}",
                                           "[",
                                           "]",
                                           "x",
                                           "nul",
                                           "nulll",
                                           "truefalse",
                                           "01",
                                           "-",
                                           "+1",
                                           ".5",
                                           "1.",
                                           "1e",
                                           "1e+",
                                           "--1",
                                           "0x1",
                                           "{a:1}",
                                           "{'a':1}",
                                           "{\"a\" 1}",
                                           "{\"a\":}",
                                           "{\"a\":1,}",
                                           "{,}",
                                           "[1,]",
                                           "[,1]",
                                           "[1 2]",
                                           "{\"a\":1 \"b\":2}",
                                           "[1}",
                                           "{]",
                                           "\"",
                                           "\"a",
                                           "\"\n\"",
                                           "\"\\x\"",
                                           "\"\\u12g4\"",
                                           "\"\\u12",
                                           "NaN",
                                           "Infinity",
                                           "-Infinity",
                                           "{} {}",
                                           "1 2",
                                           "{}x",
                                           "// c\n1",
                                           "/* c */ 1",
                                           "'a'",
                                           "\xef\xbb\xbf{}",
                                           "\xff",
                                           "\"\xff\"",
                                           "\"\xc3\"",
                                           "\"\xc0\xaf\"",
                                           "\"\xed\xa0\x80\"",
                                           "\"\xf4\x90\x80\x80\"",
                                           "\"\xe2\x82\"",
                                           "\"\x80\"",
                                           "[\"a",
                                           "{\"a",
                                           "{\"a\":\"b",
                                           "\x01",
                                           "{\"\t\":1}",
                                           "tru",
                                           "[tru]",
                                           "\"\xc3",
                                           "[1,2",
                                           "{\"a\":1",
                                           "{\"a\":[}",
                                           std::string("\0", 1),
                                           std::string("1\0", 2),
                                           std::string("\"\0\"", 3)};

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_DATA_TEST_CASE(valid_json_has_no_fault, boost::unit_test::data::make(kValid), text) {
  BOOST_TEST(!json_fault(text).has_value());
  BOOST_TEST(!json_fault(std::string_view(text)).has_value());
  BOOST_TEST(!diagnose_json(text).has_value());
}

BOOST_DATA_TEST_CASE(numbers_of_any_size_and_lone_surrogates_are_valid,
                     boost::unit_test::data::make(kValidBeyondTheFastParser), text) {
  BOOST_TEST(!json_fault(text).has_value());
  BOOST_TEST(!json_fault("{\"a\":" + text + "}").has_value());
}

BOOST_DATA_TEST_CASE(what_is_not_json_has_a_fault_with_a_place, boost::unit_test::data::make(kInvalid),
                     text) {
  const auto fault = json_fault(text);
  BOOST_REQUIRE(fault.has_value());
  BOOST_TEST(
      fault->find(
          "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ") !=
      std::string::npos);
  BOOST_TEST(json_fault(std::string_view(text)).value() == *fault);
}

// As seen in answers of AWS.
BOOST_AUTO_TEST_CASE(faults_that_aws_was_seen_to_report_are_worded_as_there) {
  check_fault("\x99", "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value " + kValues, 1,
              2);
  check_fault("'test'", "Unexpected character (''' (code 39)): expected a valid value " + kValues, 1, 2);
  check_fault("{cle:1}",
              "Unexpected character ('c' (code 99)): was expecting double-quote to start field name", 1, 3);
  check_fault("badbod", "Unrecognized token 'badbod': was expecting " + kValues, 1, 7);
  check_fault("\xb2", "Unexpected character ('\xc2\xb2' (code 178)): expected a valid value " + kValues, 1,
              2);
  check_fault("------WebKitFormBoundary",
              "Unexpected character ('-' (code 45)) in numeric value: expected digit (0-9) to follow minus "
              "sign, for valid "
              "numeric value",
              1, 3);
  check_fault("{\"a\": \"\x87\"}", "Invalid UTF-8 start byte 0x87", 1, 9);
  check_fault("a\xe9-", "Invalid UTF-8 middle byte 0x2d", 1, 4);
}

BOOST_AUTO_TEST_CASE(faults_of_structure_name_the_container_and_its_start) {
  check_fault("{\"a\":1 \"b\":2}",
              "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries", 1, 9);
  check_fault("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
              1, 5);
  check_fault("{\"a\"}",
              "Unexpected character ('}' (code 125)): was expecting a colon to separate field name and value",
              1, 6);
  check_fault("{\"a\":1,}",
              "Unexpected character ('}' (code 125)): was expecting double-quote to start field name", 1, 9);
  check_fault("[1,]", "Unexpected character (']' (code 93)): expected a value", 1, 5);
  check_fault("[,]", "Unexpected character (',' (code 44)): expected a value", 1, 3);
  check_fault(
      "\n [1}",
      "Unexpected close marker '}': expected ']' (for Array starting at" + source(2, 2).substr(3) + ")", 2,
      5);
  check_fault("{\n\"a\":[1,2",
              "Unexpected end-of-input: expected close marker for Array (start marker at" +
                  source(2, 5).substr(3) + ")",
              2, 9);
  check_fault("{\"a\":", "Unexpected end-of-input within/between Object entries", 1, 6);
  check_fault(
      "\r\n\r\n{\"a\":1}}",
      "Unexpected close marker '}': expected ']' (for root starting at" + source(1, 0).substr(3) + ")", 3, 9);
}

BOOST_AUTO_TEST_CASE(faults_of_strings_and_numbers_name_the_character) {
  check_fault("\"a\nb\"",
              "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be "
              "included in string "
              "value",
              1, 4);
  check_fault("\"\\x\"", "Unrecognized character escape 'x' (code 120)", 1, 4);
  check_fault("\"\\u00g0\"",
              "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence", 1,
              7);
  check_fault("\"abc", "Unexpected end-of-input in VALUE_STRING", 1, 5);
  check_fault("{\"abc", "Unexpected end-of-input in field name", 1, 6);
  check_fault("012", "Invalid numeric value: Leading zeroes not allowed", 1, 2);
  check_fault("1.x",
              "Unexpected character ('x' (code 120)) in numeric value: Decimal point not followed by a digit",
              1, 4);
  check_fault("12x", "Unexpected character ('x' (code 120)): Expected space separating root-level values", 1,
              4);
  check_fault("[NaN]",
              "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", 1, 5);
  check_fault("truth", "Unrecognized token 'truth': was expecting " + kValues, 1, 6);
  check_fault("\x01",
              "Illegal character ((CTRL-CHAR, code 1)): only regular white space (\\r, \\n, \\t) is allowed "
              "between tokens",
              1, 2);
}

BOOST_AUTO_TEST_CASE(a_second_value_is_refused) {
  const auto fault = json_fault("{} []");
  BOOST_REQUIRE(fault.has_value());
  BOOST_TEST(fault->starts_with("Trailing token (of type START_ARRAY) found after value"));
}

BOOST_AUTO_TEST_CASE(a_long_unknown_token_is_shown_in_part) {
  const auto fault = json_fault(std::string(5000, 'a'));
  BOOST_REQUIRE(fault.has_value());
  BOOST_TEST(fault->starts_with("Unrecognized token '" + std::string(256, 'a') + "...': was expecting"));
}

BOOST_AUTO_TEST_CASE(nesting_is_allowed_up_to_the_limit_and_no_deeper) {
  for (const std::size_t depth : {kJsonMaxDepth - 2, kJsonMaxDepth - 1, kJsonMaxDepth}) {
    BOOST_TEST(!json_fault(nested(depth)).has_value(), depth);
  }
  for (const std::size_t depth :
       {kJsonMaxDepth + 1, kJsonMaxDepth + 20, kJsonMaxDepth + 30, std::size_t{100'000}}) {
    const auto fault = json_fault(nested(depth));
    BOOST_REQUIRE(fault.has_value());
    BOOST_TEST(fault->starts_with("Document nesting depth (1001) exceeds the maximum allowed (1000"));
  }
}

BOOST_AUTO_TEST_CASE(large_payloads_pass_whether_or_not_they_are_padded_and_small_ones_after_them) {
  for (const std::size_t size : {100u, 4095u, 4096u, 70'000u, 1'100'000u, 6'000'000u, 100u}) {
    std::string text = "[\"" + std::string(size, 'x') + "\"]";
    BOOST_TEST(!json_fault(std::string_view(text)).has_value());
    text.reserve(text.size() + kJsonPadding);
    BOOST_TEST(!json_fault(text).has_value());
    text.pop_back();
    BOOST_TEST(json_fault(text).has_value());
  }
}

BOOST_AUTO_TEST_CASE(bytes_after_the_text_do_not_count) {
  const std::string text = "{}garbage" + std::string(kJsonPadding, 'z');
  BOOST_TEST(!json_fault(std::string_view(text).substr(0, 2), text.size()).has_value());
  BOOST_TEST(json_fault(std::string_view(text).substr(0, 3), text.size()).has_value());
}

BOOST_AUTO_TEST_CASE(what_the_fast_parser_passes_the_exact_reading_passes_too) {
  std::mt19937 random(20251125);
  std::vector<std::string> seeds = kValid;
  seeds.insert(seeds.end(), kValidBeyondTheFastParser.begin(), kValidBeyondTheFastParser.end());
  seeds.insert(seeds.end(), kInvalid.begin(), kInvalid.end());
  const std::string alphabet = "{}[]\",:\\ \n019.-+eEtrufalsn\x80\xc3\xed\xf0";
  for (int i = 0; i < 200'000; ++i) {
    std::string text = seeds[random() % seeds.size()];
    for (unsigned edits = random() % 4; edits > 0; --edits) {
      const char c = alphabet[random() % alphabet.size()];
      const std::size_t at = random() % (text.size() + 1);
      if (at < text.size() && random() % 2) {
        text[at] = c;
      } else {
        text.insert(at, 1, c);
      }
    }
    if (json_fault(text).has_value() != diagnose_json(text).has_value())
      BOOST_ERROR("they disagree on: " + text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
