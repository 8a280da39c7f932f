// Which of the tables this machine takes.
#include <cpuid.h>

#include <string>

#include "../core/cpu.h"
#include "../core/platform.h"
#include "attention_kernels.h"
#include "convolution_kernels.h"
#include "kernels.h"
#include "strassen_kernels.h"
#include "winograd_kernels.h"

namespace aotwin::runtime::products {
namespace {

// The CPU's level, or less where AOTWIN_MAX_CPU_LEVEL (3: no AVX-512) asks for it: to measure as on an ordinary PC. 4 asks for all that
// there is, also what is better left alone.
const std::string& wanted_level() {
  static const std::string wanted = platform::environment("AOTWIN_MAX_CPU_LEVEL");
  return wanted;
}
int level() {
  static const int chosen = wanted_level() == "3" ? 3 : cpu_level();
  return chosen;
}

// Intel's CPUs with AVX512_BF16 have AMX for it: products by the instruction itself take longer there than those of widened numbers (76 and
// 125 GFLOPS on a core of the Sapphire Rapids generation).
bool multiplies_bfloats_slowly() {
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  return __get_cpuid(0, &a, &b, &c, &d) != 0 && b == signature_INTEL_ebx && d == signature_INTEL_edx && c == signature_INTEL_ecx;
}

// Instructions beyond the level.
struct Extras {
  bool vnni = false;
  bool bfloat = false;
};
const Extras& extras() {
  static const Extras found = [] {
    Extras result;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    if (level() >= 4 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
      result.vnni = (c & 1U << 11) != 0;
      result.bfloat = a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1U << 5) != 0 && (wanted_level() == "4" || !multiplies_bfloats_slowly());
    }
    return result;
  }();
  return found;
}

}  // namespace

const ProductKernels& float_kernels() {
  return level() >= 4 ? level4::float_kernels : level3::float_kernels;
}
const ProductKernels& double_kernels() {
  return level() >= 4 ? level4::double_kernels : level3::double_kernels;
}
const ProductKernels& byte_kernels() {
  return level() < 4 ? level3::byte_kernels : extras().vnni ? level4::fused_byte_kernels : level4::byte_kernels;
}
const ProductKernels* bfloat_kernels() {
  return extras().bfloat ? &level4::bfloat_kernels : nullptr;
}
const ConvolutionKernels& convolution_kernels() {
  return level() >= 4 ? level4::convolution_kernels : level3::convolution_kernels;
}
const StrassenKernels& strassen_kernels() {
  return level() >= 4 ? level4::strassen_kernels : level3::strassen_kernels;
}

const WinogradKernels& winograd_kernels() {
  return level() >= 4 ? level4::winograd_kernels : level3::winograd_kernels;
}

const AttentionKernels& attention_kernels(Dtype dtype, bool pairs) {
  if (pairs) {
    return level4::attention_kernels_pairs;
  }
  if (dtype == Dtype::f64) {
    return level() >= 4 ? level4::attention_kernels_double : level3::attention_kernels_double;
  }
  return level() >= 4 ? level4::attention_kernels_float : level3::attention_kernels_float;
}

}  // namespace aotwin::runtime::products
