// Convolutions of tensors: torch's aten::convolution.
#pragma once

#include <optional>

#include "../core/tensor.h"
#include "matmul.h"

namespace aotwin::runtime::products {

struct ConvolutionArguments {
  Dims stride;
  Dims padding;
  Dims dilation;
  Dims output_padding;
  bool transposed = false;
  int64_t groups = 1;
  // The weight may lie by terms: dense in the order kernel, channels, out channels, all or (product.h) block_columns after block_columns of them.
  // Then the result is channels last.
  bool arranged = false;
};

// Input [batch, channels, one to three places], weight [out channels, channels / groups, kernel] (transposed: [channels, out channels /
// groups, kernel]). The result's memory format is the one that torch chooses: channels last where input or weight is, but for one place
// dimension and for some with three. The result is written to `into` where that has its form and can be written meanwhile; `fused.other`
// may be the same.
Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor* bias, const ConvolutionArguments& arguments, const Fused& fused = {},
                const Tensor* into = nullptr);

// torch's guess of "channels last" from sizes and strides: what decides the result's format.
bool looks_channels_last(const Tensor& tensor);

}  // namespace aotwin::runtime::products
