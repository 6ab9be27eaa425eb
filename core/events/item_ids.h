// Ids that a queue makes: UUIDs in which the item's number is hidden, so that an item is found by its id without an index, which at
// a million items would cost a write to a random page for each. Functions and values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace lambed::events {

// An id as the store keeps it: 16 bytes.
std::string make_item_id(std::int64_t number, Random& random);
// "0123abcd-..." of the 16 bytes.
std::string shown_item_id(std::string_view bytes);
// The 16 bytes of what shown_item_id has made, and the number in it. Nothing for any other text; a UUID that somebody else made
// has a number too, of an item with another id or none.
struct ParsedItemId {
  std::string bytes;
  std::int64_t number;
};
std::optional<ParsedItemId> parse_item_id(std::string_view text);

}  // namespace lambed::events
