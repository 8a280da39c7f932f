// What this machine can do, whatever runs on it.
#include <immintrin.h>
#include <stdint.h>
#include <time.h>

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

// What a core multiplies and adds at most with AVX2: nothing but registers, in enough chains that none waits for another.
// GFLOPS of the calling thread, the best of pieces of a millisecond or so within `seconds`.
double aotwin_arithmetic_rate(double seconds) {
  enum { chains = 12, turns = 100000 };
  __m256 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm256_set1_ps(1.0f + (float)i);
  const __m256 factor = _mm256_set1_ps(0.999f);
  const __m256 addend = _mm256_set1_ps(0.001f);
  double best = 0;
  for (const double end = now() + seconds; now() < end;) {
    const double before = now();
    for (int turn = 0; turn < turns; ++turn) {
#pragma clang loop unroll(full)
      for (int i = 0; i < chains; ++i) {
        sums[i] = _mm256_fmadd_ps(sums[i], factor, addend);
        __asm__ volatile("" : "+x"(sums[i]));
      }
    }
    const double rate = 1e-9 * 2 * 8 * chains * (double)turns / (now() - before);
    if (rate > best) best = rate;
  }
  return best;
}

// One of two threads that pass a cache line back and forth `count` times, `first` or not. Nanoseconds of the way from one to the other.
double aotwin_handover(uint32_t* turn, int first, uint32_t count) {
  const double before = now();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t mine = 2 * i + (first ? 0 : 1);
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != mine) {
    }
    __atomic_store_n(turn, mine + 1, __ATOMIC_RELEASE);
  }
  return 1e9 * (now() - before) / (2 * (double)count);
}
