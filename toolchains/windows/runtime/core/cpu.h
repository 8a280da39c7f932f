// The level of this machine's CPU, on which kernels that were compiled several times are chosen.
#pragma once

#include <cpuid.h>

#include <cstdint>

namespace aotwin::runtime {

// Levels of the x86-64 psABI: 4 with AVX-512 (F, BW, CD, DQ, VL), else 3. The system must save the registers, too.
inline int cpu_level() noexcept {
  static const int level = [] {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) {
      return 3;
    }
    uint32_t low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    // XCR0: SSE, AVX, and the three parts of AVX-512's state.
    constexpr uint32_t states = 0xe6;
    if ((low & states) != states || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) {
      return 3;
    }
    constexpr uint32_t needed = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    return (b & needed) == needed ? 4 : 3;
  }();
  return level;
}

}  // namespace aotwin::runtime
