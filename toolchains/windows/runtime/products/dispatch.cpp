// Which of the tables this machine takes.
#include "../core/cpu.h"
#include "../core/platform.h"
#include "attention_kernels.h"
#include "convolution_kernels.h"
#include "kernels.h"

namespace aotwin::runtime::products {
namespace {

// The CPU's level, or less where AOTWIN_MAX_CPU_LEVEL (3: no AVX-512) asks for it: to measure as on an ordinary PC.
int level() {
  static const int chosen = [] {
    const auto wanted = platform::environment("AOTWIN_MAX_CPU_LEVEL");
    return wanted == "3" ? 3 : cpu_level();
  }();
  return chosen;
}

}  // namespace

const ProductKernels& float_kernels() {
  return level() >= 4 ? level4::float_kernels : level3::float_kernels;
}
const ProductKernels& double_kernels() {
  return level() >= 4 ? level4::double_kernels : level3::double_kernels;
}
const ConvolutionKernels& convolution_kernels() {
  return level() >= 4 ? level4::convolution_kernels : level3::convolution_kernels;
}

const AttentionKernels& attention_kernels(Dtype dtype) {
  if (dtype == Dtype::f64) {
    return level() >= 4 ? level4::attention_kernels_double : level3::attention_kernels_double;
  }
  return level() >= 4 ? level4::attention_kernels_float : level3::attention_kernels_float;
}

}  // namespace aotwin::runtime::products
