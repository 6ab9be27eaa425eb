#include "base/digest.h"

#include <boost/test/unit_test.hpp>

using namespace lambed;

BOOST_AUTO_TEST_SUITE(digest)

// FIPS 180-2, appendix B.
BOOST_AUTO_TEST_CASE(sha256_gives_the_digests_of_the_standard) {
  BOOST_TEST(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

BOOST_AUTO_TEST_CASE(sha256_in_pieces_equals_sha256_at_once) {
  Sha256 pieces;
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    pieces.update(std::to_string(i));
    all += std::to_string(i);
  }
  BOOST_TEST(to_hex(pieces.finish()) == to_hex(sha256(all)));
}

BOOST_AUTO_TEST_CASE(a_sha256_may_be_moved_while_it_is_made) {
  Sha256 first;
  first.update("a");
  Sha256 second = std::move(first);
  second.update("bc");
  BOOST_TEST(to_hex(second.finish()) == to_hex(sha256("abc")));
}

BOOST_AUTO_TEST_CASE(code_sha256_has_the_form_that_lambda_prints) {
  BOOST_TEST(to_base64(sha256("")) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

// RFC 4648, section 10.
BOOST_AUTO_TEST_CASE(base64_gives_the_vectors_of_the_standard_both_ways) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    BOOST_TEST(base64_encode(bytes) == text);
    BOOST_TEST(base64_decode(text).value() == bytes);
  }
}

BOOST_AUTO_TEST_CASE(base64_carries_every_byte_at_every_place) {
  for (std::size_t size = 1; size <= 5; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string bytes(size, '\x5a');
        bytes[place] = static_cast<char>(byte);
        BOOST_TEST(base64_decode(base64_encode(bytes)).value() == bytes);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(base64_refuses_what_is_not_strictly_base64) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zm9v\n", " Zm9v", "Zm 9",
                           "Zm9-", "Zm9_", "Zg==Zg==", "Z=g=", "Zh==", "Zm9="}) {
    BOOST_TEST(!base64_decode(text).has_value(), text);
  }
  BOOST_TEST(!base64_decode(std::string_view("Zm9\0", 4)).has_value());
  BOOST_TEST(!base64_decode("\xc3\xa9\xc3\xa9").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
