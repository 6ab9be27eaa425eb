// What a call that can fail answers across a room's border: a value or a lambed::Error. A value; not
// thread-safe.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "lambed/errors.h"

namespace lambed {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {
  }  // NOLINT: implicit, so that `return value;` reads well
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Throws the error when there is no value: the way out to the public C++ face.
  T& value() & { return throw_if_error(), std::get<0>(state_); }
  const T& value() const& { return throw_if_error(), std::get<0>(state_); }
  T&& value() && { return throw_if_error(), std::move(std::get<0>(state_)); }

  // Only after ok() has been seen to be true.
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // Only after ok() has been seen to be false.
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  void throw_if_error() const {
    if (!ok()) throw *std::get_if<1>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit, so that `return error;` reads well

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  void value() const {
    if (error_) throw *error_;
  }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace lambed
