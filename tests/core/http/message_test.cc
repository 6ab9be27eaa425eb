// Values of HTTP: queries, percent-encoding, heads.
#include <boost/test/unit_test.hpp>

#include "http/message.h"

using namespace lambed::http;

BOOST_AUTO_TEST_SUITE(http_message)

BOOST_AUTO_TEST_CASE(percent_encoding_goes_there_and_back) {
  const std::string arn = "arn:aws:lambda:us-east-1:123456789012:function:a b/c%";
  BOOST_TEST(percent_encoded(arn) ==
             "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aa%20b%2Fc%25");
  BOOST_TEST(percent_decoded(percent_encoded(arn)).value() == arn);
  BOOST_TEST(percent_decoded("a+b").value() == "a+b");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_decoded_is_refused) {
  for (const char* text : {"%", "%4", "%zz", "a%0g", "%00"}) BOOST_TEST(!percent_decoded(text), text);
}

BOOST_AUTO_TEST_CASE(a_query_is_read_in_its_order) {
  const auto query = parse_query("a=1&b=x%20y+z&a=2&flag&=&&c=%3D");
  BOOST_REQUIRE(query);
  const std::vector<std::pair<std::string, std::string>> wanted = {{"a", "1"},   {"b", "x y z"}, {"a", "2"},
                                                                   {"flag", ""}, {"", ""},       {"c", "="}};
  BOOST_TEST((*query == wanted));
  BOOST_TEST(!parse_query("a=%"));
}

BOOST_AUTO_TEST_CASE(no_value_can_end_the_head) {
  Response response;
  response.with("X-Name", "a\r\nInjected: yes\r\n\r\nbody");
  const std::string head = head_of(response, Framing::kLength, 0, true, {});
  BOOST_TEST(head.find("\r\nInjected") == std::string::npos);
  BOOST_TEST(head.find("\r\n\r\n") == head.size() - 4);
}

BOOST_AUTO_TEST_CASE(answers_without_a_body_have_no_length) {
  Response response;
  response.status = 204;
  BOOST_TEST(head_of(response, Framing::kLength, 0, true, {}).find("Content-Length") == std::string::npos);
  response.status = 200;
  BOOST_TEST(head_of(response, Framing::kLength, 7, true, {}).find("Content-Length: 7\r\n") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
