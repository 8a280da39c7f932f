// Parallel regions over the run time's one pool of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace aotwin::runtime {

// How many threads a region that starts now may have: 1 inside of a region of several. It can change between calls, by the host's wish:
// what is prepared for a number of threads is kept by this number, and run by the same.
int thread_count();
// 0-based number of the calling thread within the innermost region; 0 outside of any.
int thread_index();

using RegionFunction = void (*)(void* context, int index, int threads);
// Runs function(context, index, threads) once on each of `threads` threads, the caller being number 0, all at the same time
// (so they may wait for each other). An exception of any is thrown again in the caller, when all have ended.
// `threads` may be fewer than asked for: nested, or the pool serves another caller.
void run_region(int threads, RegionFunction function, void* context);

// f(index, threads), on each thread; see run_region.
template <class F>
void parallel(int threads, F&& f) {
  using Function = std::remove_reference_t<F>;
  run_region(
      threads,
      [](void* context, int index, int count) { (*static_cast<Function*>(context))(index, count); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// How many threads `count` pieces of work are worth, each of which gets at least `grain` of them; 1 inside of a region.
inline int threads_for_parts(int64_t count, int64_t grain) {
  const int64_t least = std::max<int64_t>(grain, 1);
  return count <= least ? 1 : static_cast<int>(std::min<int64_t>(thread_count(), (count + least - 1) / least));
}

// f(first, last, index) over parts of [begin, end), one static part for each of at most `threads` threads, of which `index` is the number. Runs in
// the caller alone where there is one.
template <class F>
void parallel_parts(int64_t begin, int64_t end, int threads, F&& f) {
  if (begin >= end) {
    return;
  }
  if (threads <= 1) {
    f(begin, end, 0);
    return;
  }
  const int64_t count = end - begin;
  parallel(threads, [&](int index, int there) {
    const int64_t share = count / there;
    const int64_t rest = count % there;
    const int64_t first = begin + index * share + std::min<int64_t>(index, rest);
    const int64_t last = first + share + (index < rest ? 1 : 0);
    if (first < last) {
      f(first, last, index);
    }
  });
}

// f(first, last) over parts of [begin, end), each of at least `grain` (but for the last); one static part a thread. Runs in the
// caller alone when there is work for one thread only, or inside of a region.
template <class F>
void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& f) {
  parallel_parts(begin, end, threads_for_parts(end - begin, grain), [&](int64_t first, int64_t last, int) { f(first, last); });
}

}  // namespace aotwin::runtime
