// Filling with a number.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

// Every element becomes the number, converted to the tensor's dtype.
void fill(const Tensor& tensor, double value);

}  // namespace aotwin::runtime
