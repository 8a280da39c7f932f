// Reductions that callers name.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

enum class Reduction { sum, prod, mean, amax, amin };

// torch's names: sum, prod, mean, amax (max), amin (min). `what` is for the message about any other.
Reduction reduction_named(const char* name, const char* what);

}  // namespace aotwin::runtime
