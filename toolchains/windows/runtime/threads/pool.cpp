// The run time's one pool of threads. Workers are started when a region first wants them, and never end. Between regions they spin
// for some microseconds, then sleep. A region takes the workers that are free: callers on several threads share the pool, so that
// their number of threads together is that of the pool and their own.
#include <cstdlib>
#include <mutex>
#include <string>

#include "../core/error.h"
#include "../core/platform.h"
#include "abandon.h"
#include "control.h"
#include "region.h"
#include "spin.h"

namespace aotwin::runtime {
namespace {

constexpr int most_threads = 256;
// How long a thread spins before it sleeps: longer than the gaps between the regions of most networks.
std::atomic<int64_t> spin_nanoseconds{100'000};

struct alignas(64) Worker {
  // Of the signal.
  static constexpr uint32_t nothing = 0;
  static constexpr uint32_t work = 1;
  static constexpr uint32_t asleep = 2;
  // Of the claim.
  static constexpr uint32_t free = 0;
  static constexpr uint32_t taken = 1;
  static constexpr uint32_t wanted = 2;  // taken, and somebody sleeps for it

  std::atomic<uint32_t> signal{nothing};
  Region* region = nullptr;
  int index = 0;
  std::atomic<int> processor{-1};  // where it was last
  alignas(64) std::atomic<uint32_t> claim{free};
};

struct Pool {
  Worker workers[most_threads - 1];
  std::atomic<int> started{0};
  std::mutex starting;
};

// In static memory that has no destructor: workers outlive it otherwise.
Pool& pool() {
  alignas(Pool) static char memory[sizeof(Pool)];
  static Pool* const instance = new (memory) Pool;
  return *instance;
}

std::atomic<int> process_limit{0};

int default_threads() {
  static const int count = [] {
    // "4" or, for nested levels, "4,2": the first counts.
    const std::string text = platform::environment("OMP_NUM_THREADS");
    const long wanted = std::strtol(text.c_str(), nullptr, 10);
    const int cores = platform::physical_cores();
    return static_cast<int>(std::clamp<long>(wanted >= 1 ? wanted : cores, 1, most_threads));
  }();
  return count;
}

thread_local ThreadState state;

// One thread's part of a region.
void take_part(Region& region, int index) noexcept {
  const ThreadState before = state;
  state = ThreadState{};
  state.region = &region;
  state.index = index;
  state.threads = region.threads;
  state.depth = before.depth + 1;
  state.active = before.active || region.threads > 1;
  state.limit = before.limit;
  try {
    region.function(region.context, index, region.threads);
  } catch (...) {
    if (!region.failed.exchange(true)) {
      region.exception = std::current_exception();
    }
    leave_barriers(region);
  }
  state = before;
}

// A system may put a worker on the processor of the thread that it works for, and leave it there while others have work for the rest of
// the machine: each then waits for the other to stop waiting, and a process runs at half its speed or far less for as long as it lives.
// The worker notices, and moves; not more often than this.
constexpr int64_t between_moves = 1'000'000;

void run_worker(void* argument) {
  Worker& worker = *static_cast<Worker*>(argument);
  int caller_processor = -1;
  int64_t moved = 0;
  for (;;) {
    if (platform::current_processor() == caller_processor) {
      if (const int64_t now = platform::nanoseconds(); now - moved > between_moves) {
        platform::change_processor();
        moved = now;
      } else {
        platform::yield();
      }
    }
    worker.processor.store(platform::current_processor(), std::memory_order_relaxed);
    const auto called = [&] { return worker.signal.load(std::memory_order_acquire) == Worker::work; };
    if (!spin_for(spin_nanoseconds.load(std::memory_order_relaxed), called)) {
      uint32_t expected = Worker::nothing;
      if (worker.signal.compare_exchange_strong(expected, Worker::asleep)) {
        while (worker.signal.load(std::memory_order_acquire) == Worker::asleep) {
          platform::wait_while(worker.signal, Worker::asleep);
        }
      }
    }
    worker.signal.store(Worker::nothing, std::memory_order_relaxed);
    Region& region = *worker.region;
    caller_processor = region.processor;
    take_part(region, worker.index);
    // The region is gone once the last worker has counted itself out; its address serves for the waking only.
    if (region.running.fetch_sub(1, std::memory_order_acq_rel) == (Region::waiting | 1)) {
      platform::wake_all(region.running);
    }
  }
}

int start_workers(int wanted) {
  Pool& threads = pool();
  int started = threads.started.load(std::memory_order_acquire);
  if (started >= wanted) {
    return started;
  }
  const std::lock_guard lock(threads.starting);
  started = threads.started.load(std::memory_order_relaxed);
  if (started == 0) {
    platform::stay_loaded();
  }
  while (started < wanted && platform::start_thread(run_worker, &threads.workers[started])) {
    ++started;
  }
  threads.started.store(started, std::memory_order_release);
  return started;
}

bool claim(Worker& worker, bool wait) {
  uint32_t expected = Worker::free;
  if (worker.claim.compare_exchange_strong(expected, Worker::taken, std::memory_order_acquire)) {
    return true;
  }
  if (!wait) {
    return false;
  }
  while (worker.claim.exchange(Worker::wanted, std::memory_order_acquire) != Worker::free) {
    platform::wait_while(worker.claim, Worker::wanted);
  }
  return true;
}

void unclaim(Worker& worker) {
  if (worker.claim.exchange(Worker::free, std::memory_order_release) == Worker::wanted) {
    platform::wake_one(worker.claim);
  }
}

void wait_for_workers(Region& region, bool share_processor) {
  if (spin_for(
          spin_nanoseconds.load(std::memory_order_relaxed) * 4,
          [&] { return region.running.load(std::memory_order_acquire) == 0; },
          share_processor ? 0 : 100'000)) {
    return;
  }
  uint32_t now = region.running.fetch_or(Region::waiting, std::memory_order_acq_rel) | Region::waiting;
  while (now != Region::waiting) {
    platform::wait_while(region.running, now);
    now = region.running.load(std::memory_order_acquire);
  }
}

void run(int wanted, bool exactly, RegionFunction function, void* context) {
  Region region(function, context);
  int taken[most_threads];
  int helpers = 0;
  if (wanted > 1 && !state.active) {
    const int started = start_workers(wanted - 1);
    // Always from the first on, and where exactly that many are wanted each is waited for in this order: so no two callers wait
    // for each other.
    for (int i = 0; i < started && helpers < wanted - 1; ++i) {
      if (claim(pool().workers[i], exactly)) {
        taken[helpers++] = i;
      }
    }
  }
  region.threads = helpers + 1;
  region.arrivals.store(static_cast<uint64_t>(region.threads) << 32, std::memory_order_relaxed);
  region.running.store(static_cast<uint32_t>(helpers), std::memory_order_relaxed);
  bool share_processor = false;
  if (helpers != 0) {
    region.processor = platform::current_processor();
  }
  for (int i = 0; i < helpers; ++i) {
    Worker& worker = pool().workers[taken[i]];
    share_processor = share_processor || worker.processor.load(std::memory_order_relaxed) == region.processor;
    worker.region = &region;
    worker.index = i + 1;
    if (worker.signal.exchange(Worker::work, std::memory_order_acq_rel) == Worker::asleep) {
      platform::wake_one(worker.signal);
    }
  }
  take_part(region, 0);
  if (helpers != 0) {
    wait_for_workers(region, share_processor);
    for (int i = 0; i < helpers; ++i) {
      unclaim(pool().workers[taken[i]]);
    }
  }
  if (region.failed.load(std::memory_order_acquire)) [[unlikely]] {
    if (region.exception) {
      std::rethrow_exception(region.exception);
    }
    // On to the region around this one, if there is one: only its caller can tell.
    abandon_region(region.message);
    require(state.region == nullptr, region.message);
    keep_failure(region.message);
  }
}

}  // namespace

ThreadState& thread_state() {
  return state;
}

int thread_count() {
  return state.active ? 1 : outermost_thread_count();
}

int outermost_thread_count() {
  if (state.limit > 0) {
    return state.limit;
  }
  const int limit = process_limit.load(std::memory_order_relaxed);
  return limit > 0 ? limit : default_threads();
}

int thread_index() {
  return state.index;
}

void run_region(int threads, RegionFunction function, void* context) {
  run(std::min(threads, thread_count()), false, function, context);
}

void run_region_of(int threads, RegionFunction function, void* context) {
  run(std::clamp(threads, 1, most_threads), true, function, context);
}

void leave_barriers(Region& region) {
  uint64_t now = region.arrivals.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t members = (now >> 32) - 1;
    const uint64_t arrived = now & 0xFFFF'FFFF;
    const bool complete = arrived != 0 && arrived == members;
    if (region.arrivals.compare_exchange_weak(now, members << 32 | (complete ? 0 : arrived), std::memory_order_acq_rel)) {
      if (complete) {
        region.passed.fetch_add(1);
        platform::wake_all(region.passed);
      }
      return;
    }
  }
}

void barrier() {
  if (state.region == nullptr || state.threads == 1) {
    return;
  }
  Region& region = *state.region;
  const uint32_t before = region.passed.load(std::memory_order_acquire);
  uint64_t now = region.arrivals.load(std::memory_order_relaxed);
  bool complete;
  do {
    complete = (now & 0xFFFF'FFFF) + 1 == now >> 32;
  } while (!region.arrivals.compare_exchange_weak(
      now, complete ? now & ~uint64_t{0xFFFF'FFFF} : now + 1, std::memory_order_acq_rel));
  if (complete) {
    region.passed.fetch_add(1);
    if (region.sleepers.load() != 0) {
      platform::wake_all(region.passed);
    }
    return;
  }
  const auto passed = [&] { return region.passed.load(std::memory_order_acquire) != before; };
  if (!spin_for(spin_nanoseconds.load(std::memory_order_relaxed) * 4, passed)) {
    region.sleepers.fetch_add(1);
    while (!passed()) {
      platform::wait_while(region.passed, before);
    }
    region.sleepers.fetch_sub(1);
  }
}

}  // namespace aotwin::runtime

extern "C" int AOTWIN_SHIM(aotwin_set_num_threads)(int threads) {
  using namespace aotwin::runtime;
  return process_limit.exchange(std::clamp(threads, 0, most_threads));
}

extern "C" int AOTWIN_SHIM(aotwin_limit_threads)(int threads) {
  using namespace aotwin::runtime;
  const int before = state.limit;
  state.limit = std::clamp(threads, 0, most_threads);
  return before;
}

extern "C" int AOTWIN_SHIM(aotwin_get_num_threads)(void) {
  return aotwin::runtime::thread_count();
}

extern "C" void AOTWIN_SHIM(aotwin_set_spin)(int microseconds) {
  aotwin::runtime::spin_nanoseconds.store(static_cast<int64_t>(std::clamp(microseconds, 0, 1'000'000)) * 1000);
}
