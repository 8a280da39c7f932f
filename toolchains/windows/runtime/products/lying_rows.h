// Products whose larger operand is not laid out anew.
#pragma once

#include "product.h"

namespace aotwin::runtime::products {

// With more rows of x than this, y = x W^T makes good what panels of W cost.
inline constexpr int64_t lying_rows_most = 96;

// Whether rows with these strides (over k, and from one to the next) can stay as they are.
bool can_lie(int64_t k_stride, int64_t stride, const Product& product, const ProductKernels& kernels);

// A's rows lie contiguous over k, can_lie has said so; B is anything. Results lie by columns.
void run_lying_rows(const Product& product, const ProductKernels& kernels);

}  // namespace aotwin::runtime::products
