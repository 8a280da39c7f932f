// Products by columns of B that lie in blocks.
#pragma once

#include "product.h"

namespace aotwin::runtime::products {

// Whether B's columns lie so, A is contiguous over k in the type of the sums, and its rows stay in a near cache.
bool suits_block_rows(const Product& product, const ProductKernels& kernels);
void run_block_rows(const Product& product, const ProductKernels& kernels);

}  // namespace aotwin::runtime::products
