// A parallel region while it runs, and what each thread knows of the one that it is in.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

#include "parallel.h"

namespace aotwin::runtime {

// A loop whose parts are handed out as threads ask for them.
struct DynamicLoop {
  std::atomic<uint64_t> owner{0};  // 1 + count of the loop that uses this place
  std::atomic<uint64_t> ready{0};  // the same, once the bounds are written
  std::atomic<uint64_t> next{0};   // iteration to be given out
  std::atomic<int> done{0};        // threads that got the last part
  uint64_t trips = 0;
  uint64_t chunk = 1;
  bool guided = false;
};

struct Region {
  Region(RegionFunction function, void* context) : function(function), context(context) {}

  RegionFunction function;
  void* context;
  int threads = 1;
  int processor = -1;  // of the caller, when it began

  // Workers that still run; `waiting` is set while the caller sleeps for them.
  static constexpr uint32_t waiting = 0x8000'0000;
  alignas(64) std::atomic<uint32_t> running{0};

  // Barrier: who has arrived, of how many, and a count of barriers passed, which is slept on.
  alignas(64) std::atomic<uint64_t> arrivals{0};  // arrived in the low half, members in the high half
  std::atomic<uint32_t> passed{0};
  std::atomic<uint32_t> sleepers{0};

  alignas(64) std::atomic<uint64_t> singles{0};       // `single` constructs that have found their thread
  std::atomic<uint64_t> reductions{0};                // turns taken in reductions, over all constructs
  std::atomic<bool> failed{false};                    // a thread has left the region before its end
  std::exception_ptr exception;                       // of the first that threw, guarded by `failed`
  char message[512] = "";                             // of the first that was abandoned, likewise
  static constexpr int loops = 4;
  DynamicLoop loop[loops];
};

struct ThreadState {
  Region* region = nullptr;  // null outside of any
  int index = 0;
  int threads = 1;
  int depth = 0;       // of regions around, those of one thread too
  bool active = false; // one of them has several threads: no further ones are started
  int requested = 0;   // num_threads clause for the next region; 0: none
  int limit = 0;       // of this thread's own regions; 0: the process's
  const struct Place* jump = nullptr;  // where to leave generated code for, see openmp_regions.cpp
  // Constructs met in this region.
  uint64_t singles = 0;
  uint64_t reductions = 0;
  uint64_t loops = 0;
  // The dynamic loop that the thread is in.
  DynamicLoop* loop = nullptr;
  int64_t loop_lower = 0;
  int64_t loop_step = 1;
};

ThreadState& thread_state();

// thread_count() as it would be outside of any region.
int outermost_thread_count();

// Waits for all threads of the region that the calling thread is in.
void barrier();
// The calling thread does not come to any further barrier of its region.
void leave_barriers(Region& region);

// As run_region, but with `threads` threads and not fewer, waiting for workers where they serve somebody else: for code that
// was prepared for just that number. Inside of a region: alone.
void run_region_of(int threads, RegionFunction function, void* context);

}  // namespace aotwin::runtime
