// Errors of the run time: thrown inside, a code and a message outside. Nothing else crosses the DLL's border.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "dtype.h"
#include "shim.h"

namespace aotwin::runtime {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Dims;

void append(std::string& text, std::string_view part);
void append(std::string& text, double part);
void append(std::string& text, Dtype part);
void append(std::string& text, const Dims& part);  // [2, 3]
void append_signed(std::string& text, int64_t part);
void append_unsigned(std::string& text, uint64_t part);

template <class T>
void append_part(std::string& text, const T& part) {
  if constexpr (std::is_same_v<T, bool>) {
    append(text, std::string_view(part ? "true" : "false"));
  } else if constexpr (std::is_same_v<T, Dtype>) {
    append(text, part);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    append_signed(text, part);
  } else if constexpr (std::is_integral_v<T>) {
    append_unsigned(text, part);
  } else if constexpr (std::is_floating_point_v<T>) {
    append(text, static_cast<double>(part));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    append(text, std::string_view(part));
  } else {
    append(text, part);
  }
}

[[noreturn]] void throw_error(std::string message);

// Parts are texts, numbers, Dtype and Dims: fail("mm: ", a.sizes(), " and ", b.sizes(), " do not fit").
template <class... Parts>
[[noreturn]] __attribute__((noinline, cold)) void fail(const Parts&... parts) {
  std::string message;
  (append_part(message, parts), ...);
  throw_error(std::move(message));
}

template <class... Parts>
inline void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]] {
    fail(parts...);
  }
}

// Keeps the message of the exception in flight for this thread: torch_exception_get_what() reads it. Returns 1.
AOTITorchError keep_exception() noexcept;
// The same for a message that was not thrown.
void keep_message(std::string_view message) noexcept;

// A check that failed inside of a parallel region of generated code, which cannot be left by an exception: the region ends early,
// and the thread's next C function fails in its place (or whoever runs the model asks aotwin_take_failure).
void keep_failure(std::string_view message) noexcept;
bool take_failure() noexcept;  // true, once, with the message kept

// The body of every C function: 0, or 1 with the message kept.
template <class F>
AOTITorchError guarded(F&& f) noexcept {
  if (take_failure()) [[unlikely]] {
    return 1;
  }
  try {
    f();
    return 0;
  } catch (...) {
    return keep_exception();
  }
}

}  // namespace aotwin::runtime
