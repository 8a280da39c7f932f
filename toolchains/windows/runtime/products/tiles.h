// Products by tiles of packed panels: see kernels.h for the panels, tiles.cpp for the order of work.
#pragma once

#include "product.h"

namespace aotwin::runtime::products {

void run_tiles(const Product& product, const ProductKernels& kernels);

}  // namespace aotwin::runtime::products
