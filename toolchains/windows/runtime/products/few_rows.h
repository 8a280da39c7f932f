// Products with few rows: no panels, B is read once, as it lies.
#pragma once

#include "product.h"

namespace aotwin::runtime::products {

// More rows than this are worth a panel.
inline constexpr int64_t few_rows_most = 24;
inline constexpr int64_t pair_rows_most = 112;  // of bfloat16, where pairs are multiplied as they lie: panels are as fast where rows fill them
// And more than this are worth one of the rows themselves, by weights that lie (lying_rows.h).
inline constexpr int64_t dot_rows_most = 8;

// False where the layout or the number of rows is better served by tiles: then nothing was done.
// `numbers`: the kernels of the type of the sums; `tiles`: those that tiles have, which may multiply pairs at once.
bool run_few_rows(const Product& product, const ProductKernels& numbers, const ProductKernels& tiles);

Finish finish_of(const Product& product, int64_t batch);

}  // namespace aotwin::runtime::products
