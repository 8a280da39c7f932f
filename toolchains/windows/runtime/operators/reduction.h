// Reductions that callers name, and what they do to one element at a time.
#pragma once

#include <limits>

#include "arguments.h"

namespace aotwin::runtime {

enum class Reduction { sum, prod, mean, amax, amin };

// torch's names: sum, prod, mean, amax (max), amin (min). `what` is for the message about any other.
Reduction reduction_named(const char* name, const char* what);

// `target` joined with `value`.
template <class T>
void join(Reduction reduction, T& target, T value) {
  using Math = opmath_t<T>;
  const Math a = cast<Math>(target);
  const Math b = cast<Math>(value);
  switch (reduction) {
    case Reduction::sum:
    case Reduction::mean:
      if constexpr (std::is_same_v<T, bool>) {
        target = a || b;
      } else {
        target = cast<T>(static_cast<Math>(a + b));
      }
      return;
    case Reduction::prod:
      if constexpr (std::is_same_v<T, bool>) {
        target = a && b;
      } else {
        target = cast<T>(static_cast<Math>(a * b));
      }
      return;
    case Reduction::amax:
    case Reduction::amin:
      if constexpr (is_complex_v<T>) {
        fail("scatter_reduce: complex numbers have no order");
      } else {
        const bool better = reduction == Reduction::amax ? b > a : b < a;
        if (!is_nan(target) && (is_nan(value) || better)) {
          target = value;
        }
      }
      return;
  }
}

// What a target begins with when self does not count.
template <class T>
T neutral(Reduction reduction) {
  if constexpr (is_complex_v<T>) {
    return T(reduction == Reduction::prod ? 1 : 0);
  } else {
    using Limits = std::numeric_limits<std::conditional_t<is_half_v<T>, float, T>>;
    const bool infinite = Limits::has_infinity;
    switch (reduction) {
      case Reduction::prod:
        return cast<T>(1);
      case Reduction::amax:
        return cast<T>(infinite ? -Limits::infinity() : Limits::lowest());
      case Reduction::amin:
        return cast<T>(infinite ? Limits::infinity() : Limits::max());
      default:
        return cast<T>(0);
    }
  }
}

template <class T>
void divide(T& sum, int64_t count) {
  if (count <= 1) {
    return;
  }
  if constexpr (std::is_integral_v<T>) {
    const T divisor = static_cast<T>(count);
    const bool down = sum < T(0) && sum % divisor != 0;  // rounded towards minus infinity
    sum = static_cast<T>(sum / divisor - (down ? 1 : 0));
  } else {
    sum = cast<T>(static_cast<opmath_t<T>>(cast<opmath_t<T>>(sum) / cast<opmath_t<T>>(count)));
  }
}

}  // namespace aotwin::runtime
