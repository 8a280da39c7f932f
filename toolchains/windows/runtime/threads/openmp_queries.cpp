// OpenMP's own functions (omp.h), which generated code calls.
#include <algorithm>

#include "../core/error.h"
#include "../core/platform.h"
#include "control.h"
#include "region.h"

using namespace aotwin::runtime;

extern "C" {

int AOTWIN_SHIM(omp_get_thread_num)(void) {
  return thread_index();
}

int AOTWIN_SHIM(omp_get_num_threads)(void) {
  return thread_state().threads;
}

// What a region that starts here would have. OpenMP's own answer inside of a region is that of the outermost level, and code sizes
// buffers by it: so it is not thread_count(), which is 1 there.
int AOTWIN_SHIM(omp_get_max_threads)(void) {
  return std::max(outermost_thread_count(), thread_state().threads);
}

void AOTWIN_SHIM(omp_set_num_threads)(int threads) {
  if (threads > 0) {
    aotwin_limit_threads(threads);
  }
}

int AOTWIN_SHIM(omp_in_parallel)(void) {
  return thread_state().active;
}

int AOTWIN_SHIM(omp_get_num_procs)(void) {
  return platform::logical_processors();
}

int AOTWIN_SHIM(omp_get_thread_limit)(void) {
  return 256;
}

int AOTWIN_SHIM(omp_get_level)(void) {
  return thread_state().depth;
}

int AOTWIN_SHIM(omp_get_active_level)(void) {
  return thread_state().active;
}

int AOTWIN_SHIM(omp_get_max_active_levels)(void) {
  return 1;
}

void AOTWIN_SHIM(omp_set_max_active_levels)(int) {}

int AOTWIN_SHIM(omp_get_dynamic)(void) {
  return 1;
}

void AOTWIN_SHIM(omp_set_dynamic)(int) {}

int AOTWIN_SHIM(omp_get_nested)(void) {
  return 0;
}

void AOTWIN_SHIM(omp_set_nested)(int) {}

double AOTWIN_SHIM(omp_get_wtime)(void) {
  return static_cast<double>(platform::nanoseconds()) * 1e-9;
}

double AOTWIN_SHIM(omp_get_wtick)(void) {
  return 1e-9;
}
}
