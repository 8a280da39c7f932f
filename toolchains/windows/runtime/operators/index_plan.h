// Advanced indexing: several index tensors taken together, as x[i, :, j] does.
#pragma once

#include <optional>

#include "../core/tensor.h"

namespace aotwin::runtime {

// What index and index_put share. The element of the result at (k, r) is the tensor's at offsets[k] + r, where k walks over the
// broadcast shape of the indices and r over the dimensions without index.
struct IndexPlan {
  // Checks dtypes, shapes and ranges. `indices` may hold nothing for a dimension, and be shorter than the tensor's rank.
  IndexPlan(const Tensor& self, const std::optional<Tensor>* indices, size_t count);

  Dims index_shape;
  Dims rest_sizes;
  Dims rest_strides;  // of self
  Tensor offsets;     // int64, contiguous, in elements of self
  // Of the result: the indexed dimensions stand where the first index stood if all were neighbours, else in front.
  Dims result_sizes;
  Dims result_strides;
  size_t index_position;

  // Splits strides of the result's shape into those of index_shape and of rest_sizes.
  void split(const Dims& strides, Dims& of_index, Dims& of_rest) const;
};

}  // namespace aotwin::runtime
