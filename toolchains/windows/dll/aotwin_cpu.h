/* Which of the x86-64 psABI's levels this CPU and Windows support: for a model's DLL, which creates
 * no model where its code could not run, and for hosts that choose between DLLs. C and C++.
 */
#ifndef AOTWIN_CPU_H
#define AOTWIN_CPU_H

#include <cpuid.h>
#include <stdint.h>

/* The part of XCR0 that says which registers Windows saves: bits 1 and 2 for AVX, 5 to 7 for AVX-512. */
static inline uint32_t aotwin_saved_state(void) {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* 2 (or less), 3 or 4: System V ABI, AMD64 Architecture Processor Supplement, table 3.1. */
static inline int aotwin_cpu_level(void) {
#ifdef AOTWIN_TEST_CPU_LEVEL
  /* Tests compile DLLs and hosts for machines that they do not run on. */
  return AOTWIN_TEST_CPU_LEVEL;
#else
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  /* FMA, MOVBE, OSXSAVE, AVX, F16C */
  const unsigned leaf1 = (1U << 12) | (1U << 22) | (1U << 27) | (1U << 28) | (1U << 29);
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & leaf1) != leaf1) {
    return 2;
  }
  const uint32_t state = aotwin_saved_state();
  const unsigned lzcnt = 1U << 5;
  if ((state & 0x6) != 0x6 || __get_cpuid(0x80000001, &a, &b, &c, &d) == 0 || (c & lzcnt) == 0) {
    return 2;
  }
  const unsigned leaf7 = (1U << 3) | (1U << 5) | (1U << 8); /* BMI1, AVX2, BMI2 */
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & leaf7) != leaf7) {
    return 2;
  }
  /* AVX-512 F, DQ, CD, BW, VL */
  const unsigned avx512 = (1U << 16) | (1U << 17) | (1U << 28) | (1U << 30) | (1U << 31);
  return (b & avx512) == avx512 && (state & 0xE6) == 0xE6 ? 4 : 3;
#endif
}

#endif
