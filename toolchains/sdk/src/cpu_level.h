// Which of the x86-64 psABI's levels this CPU and Windows support.
#pragma once

#include <cpuid.h>

#include <cstdint>
#include <string_view>

namespace aotwin {

inline uint64_t enabled_state() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// 2 (or less), 3 or 4: System V ABI, AMD64 Architecture Processor Supplement, table 3.1.
inline int cpu_level() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned osxsave = 1U << 27;
  constexpr unsigned leaf1 = osxsave | (1U << 12) | (1U << 22) | (1U << 28) | (1U << 29);
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & leaf1) != leaf1) {
    return 2; // FMA, MOVBE, AVX, F16C
  }
  const uint64_t state = enabled_state();
  constexpr unsigned lzcnt = 1U << 5;
  if ((state & 0x6) != 0x6 || __get_cpuid(0x80000001, &a, &b, &c, &d) == 0 || (c & lzcnt) == 0) {
    return 2;
  }
  constexpr unsigned leaf7 = (1U << 3) | (1U << 5) | (1U << 8); // BMI1, AVX2, BMI2
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & leaf7) != leaf7) {
    return 2;
  }
  // AVX-512 F, DQ, CD, BW, VL
  constexpr unsigned avx512 = (1U << 16) | (1U << 17) | (1U << 28) | (1U << 30) | (1U << 31);
  return (b & avx512) == avx512 && (state & 0xE6) == 0xE6 ? 4 : 3;
}

// 3 for "x86-64-v3"; 0 where the name is no level.
inline int level_of(std::string_view name) {
  return name == "x86-64-v3" ? 3 : name == "x86-64-v4" ? 4 : 0;
}

} // namespace aotwin
