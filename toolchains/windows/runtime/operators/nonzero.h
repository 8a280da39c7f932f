// Positions of what is not zero.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

// int64 [found, dim]: one row of coordinates an element, in row-major order.
Tensor nonzero(const Tensor& self);

}  // namespace aotwin::runtime
