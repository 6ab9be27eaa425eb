// The entry point of every suite. Boost.Test makes one where BOOST_TEST_MODULE is defined before its header.
#define BOOST_TEST_MODULE lambed
#include <boost/test/unit_test.hpp>
