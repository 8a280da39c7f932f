// Products whose sums are integers or complex: straightforward loops.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime::products {

// 3-d operands, checked; `self` null or of out's shape (strides of 0 where broadcast). `out` overlaps nothing but self, element by element.
void multiply_plain(const char* name, const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* self, double beta, double alpha);

}  // namespace aotwin::runtime::products
