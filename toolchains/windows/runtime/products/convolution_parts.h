// From the arguments of a convolution (convolution.cpp) to one of its forms (convolution_forms.cpp, convolution_transposed.cpp).
#pragma once

#include "convolution.h"
#include "geometry.h"

namespace aotwin::runtime::products {

// The first of fewer than three place dimensions are those of size 1.
struct Lists {
  int64_t stride[3] = {1, 1, 1};
  int64_t padding[3] = {0, 0, 0};
  int64_t dilation[3] = {1, 1, 1};
  int64_t output_padding[3] = {0, 0, 0};
};

// Dense in the order batch, places, channels; strides of sizes of 1 do not matter.
bool is_rows(const Tensor& tensor);
// Strides of such a tensor.
Dims row_strides(const Dims& sizes);

// `tensor`, or a copy that is dense so.
Tensor as_rows(const Tensor& tensor);

// By the quickest form there is for it. `rows`: all are channels last, else planes, and dense as geometry.h has them.
void convolve_into(const Geometry& geometry, bool rows, const Tensor& input, const Tensor& weight, const Tensor* bias, const Tensor* other, const Fused& fused,
                   const Tensor& out);

// Few channels a group: the same, but that `weight` may lie as it likes.
bool has_own_form(const Geometry& geometry, bool rows);
void convolve_groups_into(const Geometry& geometry, bool rows, const Tensor& input, const Tensor& weight, const Tensor* bias, const Tensor* other,
                          const Fused& fused, const Tensor& out);

// Transposed, channels last. `weight` as torch has it; `out` may have any strides.
void convolve_transposed(const Geometry& geometry, const Lists& lists, const Tensor& input, const Tensor& weight, const Tensor* bias, const Fused& fused,
                         const Tensor& out);

}  // namespace aotwin::runtime::products
