// Products of many rows, which stay where they lie.
#pragma once

#include "product.h"

namespace aotwin::runtime::products {

// With fewer rows of A its panels cost less than to pass rows that lie apart by each panel of B.
inline constexpr int64_t own_panels_least = 281;

// Whether both operands are contiguous over k, results lie by rows, and there are rows enough.
bool suits_own_panels(const Product& product, const ProductKernels& kernels);
void run_own_panels(const Product& product, const ProductKernels& kernels);

}  // namespace aotwin::runtime::products
