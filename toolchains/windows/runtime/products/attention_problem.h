// What attention.cpp found out of its arguments, and the two ways to compute it.
#pragma once

#include "../core/tensor.h"
#include "attention_kernels.h"
#include "product.h"

namespace aotwin::runtime::products {

struct AttentionProblem {
  Tensor query;
  Tensor key;
  Tensor value;
  Tensor mask;  // undefined, or [batch, heads, queries, keys] with strides of 0 where broadcast, floating
  Tensor out;
  Tensor log_sum;
  bool causal = false;
  double scale = 1;
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t size = 0;
  int64_t heads_of_key = 1;  // heads that share one of the keys
};

// Where a query, key or value of one head begins.
inline const char* row_of(const Tensor& tensor, int64_t batch, int64_t head, int64_t row) {
  return tensor.as<char>() + (batch * tensor.stride(0) + head * tensor.stride(1) + row * tensor.stride(2)) * static_cast<int64_t>(element_size(tensor.dtype()));
}

// In tiles of queries and keys, with a running maximum. C, here and below: what sums are made in, float or double.
template <class C>
void attend_by_tiles(const AttentionProblem& problem, const ProductKernels& products, const AttentionKernels& kernels);

// One or a few queries, as when a model writes word after word: keys and values are read once, as they lie.
inline constexpr int64_t most_rows_of_head = 4;
inline constexpr int64_t most_heads_of_key = 16;
template <class C>
void attend_by_rows(const AttentionProblem& problem, const ProductKernels& products, const AttentionKernels& kernels);

}  // namespace aotwin::runtime::products
