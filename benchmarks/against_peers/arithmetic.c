// What a core multiplies and adds at most with AVX2: nothing but registers, in enough chains that none waits for another.
#include <immintrin.h>
#include <stdint.h>
#include <time.h>

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

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
