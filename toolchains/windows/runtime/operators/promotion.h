// The dtype in which operands of different dtypes meet.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

// By dtypes alone.
Dtype promoted(Dtype a, Dtype b);
// 0-d tensors count only where they are of a higher kind (bool, integer, floating, complex) than the others.
Dtype result_dtype(const Tensor& a, const Tensor& b);
// A tensor with a floating number of Python's.
Dtype result_dtype_with_number(const Tensor& a);

}  // namespace aotwin::runtime
