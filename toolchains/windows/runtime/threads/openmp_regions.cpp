// The part of the OpenMP run time's C interface that clang's code for parallel regions calls (kmp.h of LLVM's openmp names and
// describes it): regions, barriers, single, master, critical, reductions.
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "../core/error.h"
#include "abandon.h"
#include "escape.h"
#include "region.h"
#include "spin.h"

namespace aotwin::runtime {
namespace {

using Microtask = void (*)(int32_t* global, int32_t* bound, ...);

// Every argument of an outlined function is a pointer, and it does no harm in either of x86-64's calling conventions to pass more
// than it takes. So a few numbers of arguments serve all.
template <size_t... i>
void call(Microtask function, int32_t* global, int32_t* bound, void** arguments, std::index_sequence<i...>) {
  using Function = void (*)(int32_t*, int32_t*, decltype(static_cast<void>(i), static_cast<void*>(nullptr))...);
  reinterpret_cast<Function>(reinterpret_cast<void*>(function))(global, bound, arguments[i]...);
}

constexpr int few = 6;
constexpr int some = 30;
constexpr int many = 126;
constexpr int most = 1022;

int room_for(int count) {
  return count <= few ? few : count <= some ? some : count <= many ? many : most;
}

struct Task {
  Microtask function;
  void** arguments;
  int room;
};

void call(const Task& task, int32_t thread) {
  int32_t zero = 0;
  switch (task.room) {
    case few:
      return call(task.function, &thread, &zero, task.arguments, std::make_index_sequence<few>{});
    case some:
      return call(task.function, &thread, &zero, task.arguments, std::make_index_sequence<some>{});
    case many:
      return call(task.function, &thread, &zero, task.arguments, std::make_index_sequence<many>{});
    default:
      return call(task.function, &thread, &zero, task.arguments, std::make_index_sequence<most>{});
  }
}

// Generated code cannot be left by an exception: clang ends the process where one would leave an outlined function. So its frame is
// dropped as a whole; it has nothing but buffers on the stack.
__attribute__((noinline)) void run_task(const Task& task, int index) {
  Place place;
  const Place* const outer = thread_state().jump;
  thread_state().jump = &place;
  if (aotwin_mark_place(&place) == 0) {
    call(task, index);
  } else {
    leave_barriers(*thread_state().region);
  }
  thread_state().jump = outer;
}

void fork(int threads, int count, Microtask function, va_list values) {
  if (count > most) {
    keep_failure("a parallel region has more variables than aotwin's run time passes");
    return;
  }
  void* small[many];
  std::vector<void*> large;
  const int room = room_for(count);
  if (room > many) {
    large.resize(static_cast<size_t>(room));
  }
  void** const arguments = room > many ? large.data() : small;
  for (int i = 0; i < room; ++i) {
    arguments[i] = i < count ? va_arg(values, void*) : nullptr;
  }
  Task task{function, arguments, room};
  run_region(
      threads, [](void* context, int index, int) { run_task(*static_cast<const Task*>(context), index); }, &task);
}

int threads_of_next_region() {
  ThreadState& state = thread_state();
  const int requested = std::exchange(state.requested, 0);
  const int limit = thread_count();
  return requested > 0 && requested < limit ? requested : limit;
}

// Locks of critical sections live in the caller's memory, which is zero at first: 0 open, 1 closed, 2 closed and slept for.
std::atomic<uint32_t>& lock_word(void* name) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(name);
}

void lock(void* name) {
  std::atomic<uint32_t>& word = lock_word(name);
  uint32_t open = 0;
  if (word.compare_exchange_strong(open, 1, std::memory_order_acquire)) {
    return;
  }
  if (spin_for(5'000, [&] {
        uint32_t expected = 0;
        return word.compare_exchange_strong(expected, 1, std::memory_order_acquire);
      })) {
    return;
  }
  while (word.exchange(2, std::memory_order_acquire) != 0) {
    platform::wait_while(word, 2);
  }
}

void unlock(void* name) {
  std::atomic<uint32_t>& word = lock_word(name);
  if (word.exchange(0, std::memory_order_release) == 2) {
    platform::wake_one(word);
  }
}

// Reductions are done by one thread after the other in the order of their numbers, so that a result is the same in every run.
int32_t begin_reduction() {
  ThreadState& state = thread_state();
  if (state.region == nullptr || state.threads == 1) {
    return 1;
  }
  Region& region = *state.region;
  const uint64_t turn = state.reductions * static_cast<uint64_t>(state.threads) + static_cast<uint64_t>(state.index);
  spin_until([&] {
    return region.reductions.load(std::memory_order_acquire) == turn || region.failed.load(std::memory_order_relaxed);
  });
  return 1;
}

void end_reduction() {
  ThreadState& state = thread_state();
  if (state.region == nullptr || state.threads == 1) {
    return;
  }
  ++state.reductions;
  state.region->reductions.fetch_add(1, std::memory_order_release);
}

bool win_single() {
  ThreadState& state = thread_state();
  if (state.region == nullptr || state.threads == 1) {
    return true;
  }
  uint64_t mine = state.singles++;
  return state.region->singles.compare_exchange_strong(mine, mine + 1, std::memory_order_acq_rel);
}

// Regions of one thread whose code runs in the caller's frame, between two calls: what the thread was before each.
constexpr int deepest = 32;
thread_local ThreadState outer_states[deepest];
thread_local int serial_depth = 0;
// Their region: nothing in it is written for a team of one.
Region& serial_region() {
  static Region* const region = new Region(nullptr, nullptr);
  return *region;
}

}  // namespace

void abandon_region(const char* message) {
  ThreadState& state = thread_state();
  if (state.region == nullptr || state.jump == nullptr) {
    return;
  }
  Region& region = *state.region;
  if (!region.failed.exchange(true)) {
    std::snprintf(region.message, sizeof(region.message), "%s", message);
  }
  aotwin_go_back(state.jump);
}

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

struct aotwin_ident;

void AOTWIN_SHIM(__kmpc_fork_call)(aotwin_ident*, int32_t count, Microtask function, ...) {
  va_list values;
  va_start(values, function);
  fork(threads_of_next_region(), count, function, values);
  va_end(values);
}

void AOTWIN_SHIM(__kmpc_fork_call_if)(aotwin_ident*, int32_t count, Microtask function, int32_t condition, ...) {
  // One argument, which is a pointer to all of them.
  va_list values;
  va_start(values, condition);
  const int threads = threads_of_next_region();
  fork(condition != 0 ? threads : 1, count, function, values);
  va_end(values);
}

void AOTWIN_SHIM(__kmpc_push_num_threads)(aotwin_ident*, int32_t, int32_t threads) {
  thread_state().requested = threads;
}

void AOTWIN_SHIM(__kmpc_push_proc_bind)(aotwin_ident*, int32_t, int32_t) {}

int32_t AOTWIN_SHIM(__kmpc_global_thread_num)(aotwin_ident*) {
  return thread_index();
}

int32_t AOTWIN_SHIM(__kmpc_global_num_threads)(aotwin_ident*) {
  return thread_count();
}

int32_t AOTWIN_SHIM(__kmpc_bound_thread_num)(aotwin_ident*) {
  return thread_index();
}

int32_t AOTWIN_SHIM(__kmpc_bound_num_threads)(aotwin_ident*) {
  return thread_state().threads;
}

int32_t AOTWIN_SHIM(__kmpc_in_parallel)(aotwin_ident*) {
  return thread_state().active;
}

int32_t AOTWIN_SHIM(__kmpc_ok_to_fork)(aotwin_ident*) {
  return 1;
}

void AOTWIN_SHIM(__kmpc_begin)(aotwin_ident*, int32_t) {}

void AOTWIN_SHIM(__kmpc_end)(aotwin_ident*) {}

void AOTWIN_SHIM(__kmpc_serialized_parallel)(aotwin_ident*, int32_t) {
  ThreadState& state = thread_state();
  state.requested = 0;
  if (serial_depth < deepest) {
    outer_states[serial_depth] = state;
    state = ThreadState{};
    state.region = &serial_region();
    state.depth = outer_states[serial_depth].depth + 1;
    state.active = outer_states[serial_depth].active;
    state.limit = outer_states[serial_depth].limit;
  }
  ++serial_depth;
}

void AOTWIN_SHIM(__kmpc_end_serialized_parallel)(aotwin_ident*, int32_t) {
  if (--serial_depth < deepest && serial_depth >= 0) {
    thread_state() = outer_states[serial_depth];
  }
}

void AOTWIN_SHIM(__kmpc_barrier)(aotwin_ident*, int32_t) {
  barrier();
}

int32_t AOTWIN_SHIM(__kmpc_cancel_barrier)(aotwin_ident*, int32_t) {
  barrier();
  return 0;
}

void AOTWIN_SHIM(__kmpc_flush)(aotwin_ident*) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

int32_t AOTWIN_SHIM(__kmpc_master)(aotwin_ident*, int32_t) {
  return thread_index() == 0;
}

void AOTWIN_SHIM(__kmpc_end_master)(aotwin_ident*, int32_t) {}

int32_t AOTWIN_SHIM(__kmpc_masked)(aotwin_ident*, int32_t, int32_t filter) {
  return thread_index() == filter;
}

void AOTWIN_SHIM(__kmpc_end_masked)(aotwin_ident*, int32_t) {}

int32_t AOTWIN_SHIM(__kmpc_single)(aotwin_ident*, int32_t) {
  return win_single();
}

void AOTWIN_SHIM(__kmpc_end_single)(aotwin_ident*, int32_t) {}

void AOTWIN_SHIM(__kmpc_critical)(aotwin_ident*, int32_t, void* name) {
  lock(name);
}

void AOTWIN_SHIM(__kmpc_critical_with_hint)(aotwin_ident*, int32_t, void* name, uint32_t) {
  lock(name);
}

void AOTWIN_SHIM(__kmpc_end_critical)(aotwin_ident*, int32_t, void* name) {
  unlock(name);
}

int32_t AOTWIN_SHIM(__kmpc_reduce)(aotwin_ident*, int32_t, int32_t, size_t, void*, void (*)(void*, void*), void*) {
  return begin_reduction();
}

void AOTWIN_SHIM(__kmpc_end_reduce)(aotwin_ident*, int32_t, void*) {
  end_reduction();
  barrier();
}

int32_t AOTWIN_SHIM(__kmpc_reduce_nowait)(aotwin_ident*, int32_t, int32_t, size_t, void*, void (*)(void*, void*), void*) {
  return begin_reduction();
}

void AOTWIN_SHIM(__kmpc_end_reduce_nowait)(aotwin_ident*, int32_t, void*) {
  end_reduction();
}

// omp_lock_t is a pointer's size of the caller's memory.
void AOTWIN_SHIM(omp_init_lock)(void* name) {
  lock_word(name).store(0);
}
void AOTWIN_SHIM(omp_destroy_lock)(void*) {}
void AOTWIN_SHIM(omp_set_lock)(void* name) {
  lock(name);
}
void AOTWIN_SHIM(omp_unset_lock)(void* name) {
  unlock(name);
}
int AOTWIN_SHIM(omp_test_lock)(void* name) {
  uint32_t open = 0;
  return lock_word(name).compare_exchange_strong(open, 1, std::memory_order_acquire);
}
}
