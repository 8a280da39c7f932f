#include "kernels.h"

#include "../core/cpu.h"

namespace aotwin::runtime::products {

const ProductKernels& float_kernels() {
  return cpu_level() >= 4 ? level4::float_kernels : level3::float_kernels;
}
const ProductKernels& double_kernels() {
  return cpu_level() >= 4 ? level4::double_kernels : level3::double_kernels;
}

}  // namespace aotwin::runtime::products
