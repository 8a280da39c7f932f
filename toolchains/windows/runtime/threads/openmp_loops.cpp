// Shares of loops, for clang's code (__kmpc_for_static_*, __kmpc_dispatch_*). Numbers of schedules as in LLVM's kmp.h.
#include <algorithm>
#include <type_traits>

#include "../core/error.h"
#include "region.h"
#include "spin.h"

namespace aotwin::runtime {
namespace {

enum Schedule : int32_t {
  static_chunked = 33,
  static_even = 34,
  dynamic_chunked = 35,
  guided_chunked = 36,
  static_balanced_chunked = 45,
};
// "monotonic" and "nonmonotonic" are said by two high bits.
constexpr int32_t modifiers = (1 << 29) | (1 << 30);

// Number of iterations from lower to upper (which is one of them), by step.
template <class T>
uint64_t trips_of(T lower, T upper, std::make_signed_t<T> step) {
  using U = std::make_unsigned_t<T>;
  if (step > 0) {
    return upper < lower ? 0 : static_cast<uint64_t>((static_cast<U>(upper) - static_cast<U>(lower)) / static_cast<U>(step)) + 1;
  }
  if (step < 0) {
    return lower < upper ? 0 : static_cast<uint64_t>((static_cast<U>(lower) - static_cast<U>(upper)) / (U(0) - static_cast<U>(step))) + 1;
  }
  return 0;
}

template <class T>
T advance(T from, uint64_t trips, std::make_signed_t<T> step) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(from) + static_cast<U>(trips) * static_cast<U>(step));
}

template <class T, class S = std::make_signed_t<T>>
void static_share(int32_t schedule, int32_t* last, T* lower, T* upper, S* stride, S step, S chunk) {
  const ThreadState& state = thread_state();
  const uint64_t trips = trips_of(*lower, *upper, step);
  if (trips == 0) {
    if (last != nullptr) {
      *last = 0;
    }
    *stride = step;
    return;
  }
  const uint64_t threads = static_cast<uint64_t>(state.threads);
  const uint64_t index = static_cast<uint64_t>(state.index);
  bool is_last;
  if (threads == 1) {
    *stride = static_cast<S>(advance<T>(0, trips, step));
    is_last = true;
  } else if ((schedule & ~modifiers) == static_chunked) {
    const uint64_t each = chunk < 1 ? 1 : static_cast<uint64_t>(chunk);
    *stride = static_cast<S>(advance<T>(0, each * threads, step));
    *lower = advance(*lower, each * index, step);
    *upper = advance(*lower, each - 1, step);
    is_last = (trips - 1) / each % threads == index;
  } else {
    *stride = static_cast<S>(advance<T>(0, trips, step));
    uint64_t share = trips / threads;
    uint64_t rest = trips % threads;
    if ((schedule & ~modifiers) == static_balanced_chunked) {
      // Equal shares of whole chunks.
      const uint64_t each = chunk < 1 ? 1 : static_cast<uint64_t>(chunk);
      share = ((trips + threads - 1) / threads + each - 1) / each * each;
      rest = 0;
    }
    const uint64_t first = std::min(index * share + std::min(index, rest), trips);
    const uint64_t end = std::min(first + share + (index < rest ? 1 : 0), trips);
    const T start = *lower;
    if (first == end) {
      // Nothing: the code compares, and finds lower past upper.
      *lower = advance(*upper, 1, step);
      is_last = false;
    } else {
      *lower = advance(start, first, step);
      *upper = advance(start, end - 1, step);
      is_last = end == trips;
    }
  }
  if (last != nullptr) {
    *last = is_last;
  }
}

// The loop that each thread of a team comes to as its n-th shares one of a few places in the region. The first to come sets it up.
template <class T, class S = std::make_signed_t<T>>
void begin_dynamic(int32_t schedule, T lower, T upper, S step, S chunk) {
  ThreadState& state = thread_state();
  static thread_local DynamicLoop alone;
  state.loop_lower = static_cast<int64_t>(lower);
  state.loop_step = static_cast<int64_t>(step);
  const uint64_t trips = trips_of(lower, upper, step);
  const auto set_up = [&](DynamicLoop& loop) {
    loop.trips = trips;
    loop.chunk = chunk < 1 ? 1 : static_cast<uint64_t>(chunk);
    loop.guided = (schedule & ~modifiers) == guided_chunked;
    if ((schedule & ~modifiers) == static_even) {
      loop.chunk = std::max<uint64_t>((trips + static_cast<uint64_t>(state.threads) - 1) / static_cast<uint64_t>(state.threads), 1);
    }
    loop.next.store(0, std::memory_order_relaxed);
    loop.done.store(0, std::memory_order_relaxed);
  };
  if (state.region == nullptr || state.threads == 1) {
    set_up(alone);
    state.loop = &alone;
    return;
  }
  const uint64_t number = ++state.loops;
  DynamicLoop& loop = state.region->loop[number % Region::loops];
  // A place is free again when all threads are done with the loop that it had before.
  const uint64_t before = number > Region::loops ? number - Region::loops : 0;
  Region& region = *state.region;
  uint64_t expected = before;
  spin_until([&] {
    return loop.owner.load(std::memory_order_acquire) != before ||
        before == 0 || loop.done.load(std::memory_order_acquire) == state.threads || region.failed.load(std::memory_order_relaxed);
  });
  if (loop.owner.compare_exchange_strong(expected, number, std::memory_order_acq_rel)) {
    set_up(loop);
    loop.ready.store(number, std::memory_order_release);
  } else {
    spin_until([&] { return loop.ready.load(std::memory_order_acquire) >= number; });
  }
  state.loop = &loop;
}

template <class T, class S = std::make_signed_t<T>>
int32_t next_dynamic(int32_t* last, T* lower, T* upper, S* stride) {
  ThreadState& state = thread_state();
  DynamicLoop* const loop = state.loop;
  if (loop == nullptr) {
    return 0;
  }
  uint64_t first = loop->next.load(std::memory_order_relaxed);
  uint64_t count;
  do {
    if (first >= loop->trips) {
      state.loop = nullptr;
      loop->done.fetch_add(1, std::memory_order_release);
      return 0;
    }
    const uint64_t rest = loop->trips - first;
    count = std::min(loop->chunk, rest);
    if (loop->guided) {
      count = std::min(std::max(rest / (2 * static_cast<uint64_t>(state.threads)), loop->chunk), rest);
    }
  } while (!loop->next.compare_exchange_weak(first, first + count, std::memory_order_relaxed));
  const S step = static_cast<S>(state.loop_step);
  *lower = advance(static_cast<T>(state.loop_lower), first, step);
  *upper = advance(*lower, count - 1, step);
  if (stride != nullptr) {
    *stride = step;
  }
  if (last != nullptr) {
    *last = first + count == loop->trips;
  }
  return 1;
}

}  // namespace
}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

struct aotwin_ident;

void AOTWIN_SHIM(__kmpc_for_static_init_4)(
    aotwin_ident*, int32_t, int32_t schedule, int32_t* last, int32_t* lower, int32_t* upper, int32_t* stride, int32_t step, int32_t chunk) {
  static_share(schedule, last, lower, upper, stride, step, chunk);
}
void AOTWIN_SHIM(__kmpc_for_static_init_4u)(
    aotwin_ident*, int32_t, int32_t schedule, int32_t* last, uint32_t* lower, uint32_t* upper, int32_t* stride, int32_t step, int32_t chunk) {
  static_share(schedule, last, lower, upper, stride, step, chunk);
}
void AOTWIN_SHIM(__kmpc_for_static_init_8)(
    aotwin_ident*, int32_t, int32_t schedule, int32_t* last, int64_t* lower, int64_t* upper, int64_t* stride, int64_t step, int64_t chunk) {
  static_share(schedule, last, lower, upper, stride, step, chunk);
}
void AOTWIN_SHIM(__kmpc_for_static_init_8u)(
    aotwin_ident*, int32_t, int32_t schedule, int32_t* last, uint64_t* lower, uint64_t* upper, int64_t* stride, int64_t step, int64_t chunk) {
  static_share(schedule, last, lower, upper, stride, step, chunk);
}
void AOTWIN_SHIM(__kmpc_for_static_fini)(aotwin_ident*, int32_t) {}

void AOTWIN_SHIM(__kmpc_dispatch_init_4)(
    aotwin_ident*, int32_t, int32_t schedule, int32_t lower, int32_t upper, int32_t step, int32_t chunk) {
  begin_dynamic(schedule, lower, upper, step, chunk);
}
void AOTWIN_SHIM(__kmpc_dispatch_init_4u)(
    aotwin_ident*, int32_t, int32_t schedule, uint32_t lower, uint32_t upper, int32_t step, int32_t chunk) {
  begin_dynamic(schedule, lower, upper, step, chunk);
}
void AOTWIN_SHIM(__kmpc_dispatch_init_8)(
    aotwin_ident*, int32_t, int32_t schedule, int64_t lower, int64_t upper, int64_t step, int64_t chunk) {
  begin_dynamic(schedule, lower, upper, step, chunk);
}
void AOTWIN_SHIM(__kmpc_dispatch_init_8u)(
    aotwin_ident*, int32_t, int32_t schedule, uint64_t lower, uint64_t upper, int64_t step, int64_t chunk) {
  begin_dynamic(schedule, lower, upper, step, chunk);
}
int32_t AOTWIN_SHIM(__kmpc_dispatch_next_4)(aotwin_ident*, int32_t, int32_t* last, int32_t* lower, int32_t* upper, int32_t* stride) {
  return next_dynamic(last, lower, upper, stride);
}
int32_t AOTWIN_SHIM(__kmpc_dispatch_next_4u)(aotwin_ident*, int32_t, int32_t* last, uint32_t* lower, uint32_t* upper, int32_t* stride) {
  return next_dynamic(last, lower, upper, stride);
}
int32_t AOTWIN_SHIM(__kmpc_dispatch_next_8)(aotwin_ident*, int32_t, int32_t* last, int64_t* lower, int64_t* upper, int64_t* stride) {
  return next_dynamic(last, lower, upper, stride);
}
int32_t AOTWIN_SHIM(__kmpc_dispatch_next_8u)(aotwin_ident*, int32_t, int32_t* last, uint64_t* lower, uint64_t* upper, int64_t* stride) {
  return next_dynamic(last, lower, upper, stride);
}
// For `ordered` loops, and the end of newer compilers' loops: nothing to do for the schedules above.
void AOTWIN_SHIM(__kmpc_dispatch_fini_4)(aotwin_ident*, int32_t) {}
void AOTWIN_SHIM(__kmpc_dispatch_fini_4u)(aotwin_ident*, int32_t) {}
void AOTWIN_SHIM(__kmpc_dispatch_fini_8)(aotwin_ident*, int32_t) {}
void AOTWIN_SHIM(__kmpc_dispatch_fini_8u)(aotwin_ident*, int32_t) {}
void AOTWIN_SHIM(__kmpc_dispatch_deinit)(aotwin_ident*, int32_t) {}
}
