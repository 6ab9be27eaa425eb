// What the dispatcher knows of a lane and of what runs. Internal to events/; of the core loop's thread.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "events/dispatcher.h"

namespace lambed::events {

struct Dispatcher::Lane {
  std::string name;  // in the queue
  bool is_delivery;
  std::string subject;  // the function's name, or the target

  std::deque<Item> waiting;  // fetched, in order
  bool is_fetching = false;
  bool has_more = false;  // the queue has, or may have, items that are due
  bool has_news = false;  // some came while it was asked
  Millis next_due = kNotDue;

  int running = 0;
  int window = 1;
  Nanos paused_until = 0;
  Nanos pause = 0;      // the last one's length; 0: none since an attempt went through
  int last_status = 0;  // of what paused it

  // Of the window's growth: how many ended since the period began, and what the step before has brought.
  Nanos period = 0;
  int ended = 0;
  double rate_before = 0;
  int window_before = 0;
  Nanos no_growth_until = 0;

  bool is_in_ring = false;
  bool is_crowded = false;
  Nanos timer = kNever;  // the earliest that is armed
};

struct Dispatcher::Running {
  std::string lane;
  Item item;
  EventRecord record;  // of an event
  Delivery delivery;   // of a delivery
};

struct Dispatcher::Ended {
  std::shared_ptr<Running> running;
  InvokeResult result;
  DeliveryResult delivered;
};

// An event that is over, and why.
struct Dispatcher::Over {
  Item item;
  EventRecord record;
  EventState state;
  Condition condition;
  std::string condition_name;
  bool has_response = false;
  InvokeResult result = {};
  int error_status = 200;
  std::string error_message = {};
};

// A settlement with what is done once it is written.
struct Dispatcher::Owed {
  Settlement settlement;
  std::string lane;
  std::string request_id;
};

}  // namespace lambed::events
