// Products of tensors, any strides and dtypes: what the shims share.
#pragma once

#include "../core/tensor.h"
#include "product.h"

namespace aotwin::runtime::products {

// What is done to sums besides scaling, for the fused forms.
struct Fused {
  Activation activation = Activation::none;
  double first = 0;
  double second = 0;
  const Tensor* other = nullptr;  // added to (or multiplied with) the result before the activation
  double other_scale = 1;
  bool other_multiplies = false;
  bool in_blocks = false;  // b's columns lie in blocks of block_columns, one after the other; its strides are those of the first
};

// out = alpha * a b + beta * self, with self broadcast to out's shape; beta == 0 does not read it. 2-d, or 3-d (batches). `out` may be
// or overlap any of the others. `name` is for messages, which also say the shapes where they do not fit.
void multiply_tensors(const char* name, const Tensor& out, const Tensor& a, const Tensor& b, const Tensor* self, double beta, double alpha,
                      const Fused& fused = {});

// True where the bytes that two tensors span meet.
bool overlap(const Tensor& a, const Tensor& b);

}  // namespace aotwin::runtime::products
