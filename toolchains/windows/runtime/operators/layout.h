// Strides of results: generated code relies on those that eager torch gives.
#pragma once

#include <initializer_list>

#include "../core/tensor.h"

namespace aotwin::runtime {

// Of the result of an element-wise operator: contiguous in the order of dimensions that its operands have. `strides` are
// those of the operands expanded to `shape` (0 where they are broadcast), the first deciding where they differ.
Dims elementwise_strides(const Dims& shape, std::initializer_list<const Dims*> strides);
Dims elementwise_strides(const Dims& shape, const Dims* const* strides, size_t count);

// What "preserve format" gives: the tensor's own strides where it is dense, else contiguous in its order of dimensions.
Dims preserved_strides(const Tensor& tensor);
Tensor empty_preserving(const Tensor& tensor, Dtype dtype);

// Whether torch would call it channels-last (4-d and 5-d): contiguous tensors whose sizes allow both readings are not.
bool suggests_channels_last(const Tensor& tensor);
// Channels-last where `like` suggests it, else contiguous. `sizes` has as many dimensions as `like`.
Tensor empty_suggested(const Dims& sizes, const Tensor& like, Dtype dtype);
// The same tensor, or a copy with the strides of its suggested format.
Tensor contiguous_suggested(const Tensor& tensor);

// A 0-d tensor as one of one element.
Tensor at_least_1d(const Tensor& tensor);

// A view without dimension `dim`, or with one of size 1 put there.
Tensor without_dim(const Tensor& tensor, int64_t dim);
Tensor with_dim(const Tensor& tensor, int64_t dim);

}  // namespace aotwin::runtime
