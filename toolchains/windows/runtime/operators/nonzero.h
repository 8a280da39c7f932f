// Positions of what is not zero.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

// int64 [found, dim]: one row of coordinates an element, in row-major order of the elements; strides [1, found].
Tensor nonzero(const Tensor& self);

}  // namespace aotwin::runtime
