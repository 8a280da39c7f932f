// softmax(scale * Q K^T + mask) V, without the scores ever being in memory as a whole.
#pragma once

#include <optional>

#include "../core/tensor.h"

namespace aotwin::runtime::products {

struct Attention {
  Tensor out;      // shape, dtype and order of strides of the query
  Tensor log_sum;  // [batch, heads, queries], float32 (float64 for float64): log of the sum of exp(scores), 0 where nothing is seen
};

// Query [batch, heads, queries, size], key and value [batch, heads or a divisor of them, keys, size]. Mask: 2-d or 4-d, broadcast, bool
// (true: seen) or floating (added). Causal: query i sees keys up to i.
Attention attend(const Tensor& query, const Tensor& key, const Tensor& value, bool causal, const Tensor* mask, std::optional<double> scale);

}  // namespace aotwin::runtime::products
