// Products of many rows with an eighth of their multiplications saved.
#pragma once

#include "../core/tensor.h"
#include "product.h"

namespace aotwin::runtime::products {

// What Product::b_pairs points to, for a weight in blocks with so many results: kept with it if it is a constant. None where sizes are too small to gain.
Tensor pairs_of_blocks(const Tensor& weight, int64_t rows, int64_t results);

// Whether B's columns lie in blocks, sums are of float32, and all sizes are large enough to gain.
bool suits_strassen(const Product& product);
void run_strassen(const Product& product, const ProductKernels& kernels);

}  // namespace aotwin::runtime::products
