// Waiting without the system's help.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "../core/platform.h"

namespace aotwin::runtime {

// True as soon as predicate() is; false when it was not within `nanoseconds`. Whoever is waited for may be ready to run on this very
// processor, with none to spare on a loaded machine: so it is offered after `before_offering`.
template <class Predicate>
bool spin_for(int64_t nanoseconds, Predicate&& predicate, int64_t before_offering = 100'000) {
  // The clock is looked at seldom: a pause takes 10 to 50 ns.
  constexpr int looks = 64;
  for (int i = 0; i < looks; ++i) {
    if (predicate()) {
      return true;
    }
    _mm_pause();
  }
  const int64_t start = platform::nanoseconds();
  for (int64_t passed = 0; passed < nanoseconds; passed = platform::nanoseconds() - start) {
    if (passed >= before_offering) {
      platform::yield();
    }
    for (int i = 0; i < looks; ++i) {
      if (predicate()) {
        return true;
      }
      _mm_pause();
    }
  }
  return false;
}

// Until predicate() is true; after a while the processor is given away between looks, for machines that have other work.
template <class Predicate>
void spin_until(Predicate&& predicate) {
  while (!spin_for(20'000, predicate)) {
    platform::yield();
  }
}

}  // namespace aotwin::runtime
