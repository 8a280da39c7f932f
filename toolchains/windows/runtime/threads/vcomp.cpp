#include "vcomp.h"

#include <cstdarg>
#include <utility>

#include "../core/error.h"
#include "region.h"

extern "C" {
int omp_get_thread_num(void);
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_in_parallel(void);
}

namespace aotwin::runtime {
namespace {

// Visual C++ passes what a region captures as arguments of pointer size, by address mostly. As in openmp_regions.cpp, more
// arguments than the function takes do no harm.
constexpr int most = 62;

struct Task {
  void* function;
  void* arguments[most];
  int count;
};

template <size_t... i>
void call(const Task& task, std::index_sequence<i...>) {
  using Function = void (*)(decltype(static_cast<void>(i), static_cast<void*>(nullptr))...);
  reinterpret_cast<Function>(task.function)(task.arguments[i]...);
}

void run_task(void* context, int, int) {
  const Task& task = *static_cast<const Task*>(context);
  if (task.count <= 6) {
    call(task, std::make_index_sequence<6>{});
  } else {
    call(task, std::make_index_sequence<most>{});
  }
}

}  // namespace
}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

// `parallel` is the value of an if clause.
void AOTWIN_SHIM(_vcomp_fork)(int parallel, int count, void* function, ...) {
  Task task{function, {}, count};
  va_list values;
  va_start(values, function);
  for (int i = 0; i < count && i < most; ++i) {
    task.arguments[i] = va_arg(values, void*);
  }
  va_end(values);
  const int requested = std::exchange(thread_state().requested, 0);
  const int threads = parallel == 0 ? 1 : requested > 0 ? requested : thread_count();
  // oneDNN has divided its work when a primitive was made, and leaves out what threads that are missing would have done.
  run_region_of(threads, run_task, &task);
}

// Bounds are inclusive. A thread without a share gets an end before its begin.
void AOTWIN_SHIM(_vcomp_for_static_simple_init_i8)(
    int64_t first, int64_t last, int64_t step, int increment, int64_t* begin, int64_t* end) {
  const ThreadState& state = thread_state();
  if (step <= 0) {
    *begin = 0;
    *end = increment ? -1 : 1;
    return;
  }
  const uint64_t distance = increment ? static_cast<uint64_t>(last) - static_cast<uint64_t>(first)
                                      : static_cast<uint64_t>(first) - static_cast<uint64_t>(last);
  const int64_t trips = static_cast<int64_t>(distance / static_cast<uint64_t>(step)) + 1;
  const int64_t signed_step = increment ? step : -step;
  const int64_t share = trips / state.threads;
  const int64_t rest = trips % state.threads;
  const int64_t mine = share + (state.index < rest ? 1 : 0);
  if (mine == 0) {
    *begin = first;
    *end = first - signed_step;
    return;
  }
  *begin = first + (state.index * share + (state.index < rest ? state.index : rest)) * signed_step;
  *end = *begin + (mine - 1) * signed_step;
}

void AOTWIN_SHIM(_vcomp_for_static_end)(void) {}

void AOTWIN_SHIM(_vcomp_barrier)(void) {
  barrier();
}

void AOTWIN_SHIM(_vcomp_set_num_threads)(int threads) {
  thread_state().requested = threads;
}

const aotwin_vcomp_table* AOTWIN_SHIM(aotwin_vcomp_functions)(void) {
  static const aotwin_vcomp_table table = {
      sizeof(table),
      _vcomp_fork,
      _vcomp_for_static_simple_init_i8,
      _vcomp_for_static_end,
      _vcomp_barrier,
      _vcomp_set_num_threads,
      omp_get_thread_num,
      omp_get_max_threads,
      omp_get_num_threads,
      omp_in_parallel,
  };
  return &table;
}
}
